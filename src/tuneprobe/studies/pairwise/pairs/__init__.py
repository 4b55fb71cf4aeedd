"""The five pairwise probes (Cai et al. 2020): matched pairs of words, found in a corpus."""

from tuneprobe.studies.pairwise.pairs.abbreviation import AbbreviationRule
from tuneprobe.studies.pairwise.pairs.build import build_pairs
from tuneprobe.studies.pairwise.pairs.coreference import CoreferenceRule
from tuneprobe.studies.pairwise.pairs.find import BOUNDARY, PROBES
from tuneprobe.studies.pairwise.pairs.funnel import Funnel
from tuneprobe.studies.pairwise.pairs.parts import join_pairs, write_pairs_part
from tuneprobe.studies.pairwise.pairs.synonyms import SynonymRule

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
