"""The five pairwise probes (Cai et al. 2020): matched pairs of words, found in a corpus."""

from tuneprobe.pairs.abbreviation import AbbreviationRule
from tuneprobe.pairs.build import build_pairs
from tuneprobe.pairs.coreference import CoreferenceRule
from tuneprobe.pairs.find import BOUNDARY, PROBES
from tuneprobe.pairs.funnel import Funnel
from tuneprobe.pairs.parts import join_pairs, write_pairs_part
from tuneprobe.pairs.synonyms import SynonymRule

__all__ = [
    "BOUNDARY",
    "PROBES",
    "AbbreviationRule",
    "CoreferenceRule",
    "Funnel",
    "SynonymRule",
    "build_pairs",
    "join_pairs",
    "write_pairs_part",
]
