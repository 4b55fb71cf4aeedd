"""What every head of an encoder looks at on one task: measures, patterns, and some of its maps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.examples.annotate import load_spacy
from tuneprobe.formats.examples import Examples
from tuneprobe.formats.results import Result
from tuneprobe.rng import rng
from tuneprobe.studies.attention.maps.maps import LayerMaps
from tuneprobe.studies.attention.maps.study import (
    Aggregation,
    attention_results,
    measure_heads,
    sample_texts,
    short_texts,
)
from tuneprobe.studies.attention.maps.token_types import UNUSED_PARTS, token_types
from tuneprobe.studies.attention.patterns.network import PatternNetwork
from tuneprobe.studies.attention.patterns.sheet import Map, SheetMaps, read_labels
from tuneprobe.studies.attention.patterns.study import (
    PatternReader,
    Setting,
    agreement_results,
    pattern_results,
)


class ReadHeads(NamedTuple):
    """What `read_heads` gives.

    Attributes
    ----------
    rows : list of Result
        Of `attention_results`, `pattern_results` and, with labelled maps, `agreement_results`.
    pieces : list of Pieces
        The texts that were read.
    sources : list of str
        Of each of them.
    too_long : int
        How many were drawn and left out.
    sheet : dict
        Of `SheetMaps`.
    """

    rows: list[Result]
    pieces: list[Pieces]
    sources: list[str]
    too_long: int
    sheet: dict[tuple[str, int, int, int], Map]


def read_heads(
    encoders: Mapping[str, Encoder],
    examples: Examples,
    network: PatternNetwork,
    *,
    before: str,
    max_texts: int,
    max_pieces: int,
    aggregation: Aggregation,
    tokens_per_batch: int | None,
    sheet: int,
    labelled: Path | None,
    sampling_seed: int,
    encoder: str,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> ReadHeads:
    """Measure every head of every state in one pass over a sample of the test texts.

    Parameters
    ----------
    encoders : mapping
        Name of a state to its encoder; `before` is the one that the others are compared with.
    max_texts, max_pieces : int
        Texts drawn under `sampling_seed`; longer ones are left out.
    sheet : int
        Maps that are kept for a person to label.
    labelled : Path, optional
        Labels of such a sheet, as `read_labels` has them.
    """
    intervals: dict[str, Any] = {"confidence": confidence, "bootstrap": bootstrap}
    reader = encoders[before]
    drawn = sample_texts(examples, max_texts=max_texts, seed=sampling_seed)
    texts, pieces = short_texts(reader, examples.texts.iloc[drawn], max_pieces)
    size = {
        "n_texts": len(pieces),
        "n_layers": reader.n_layers,
        "n_heads": reader.model.config.num_attention_heads,
    }
    patterns = PatternReader(network, list(encoders), **size)
    kept = SheetMaps(sheet, list(encoders), **size, rng=rng(sampling_seed, "sheet", task))

    def also(found: LayerMaps) -> None:
        patterns(found)
        kept(found)

    measures = measure_heads(
        encoders,
        pieces,
        token_types(load_spacy(exclude=UNUSED_PARTS), reader.tokenizer, texts, pieces),
        before=before,
        aggregation=aggregation,
        tokens_per_batch=tokens_per_batch,
        also=also,
    )
    setting = Setting(encoder, task, seed, **intervals)
    rows = attention_results(measures, encoder=encoder, task=task, seed=seed, **intervals)
    rows += pattern_results(patterns.labels, setting)
    sources = list(texts.source)
    if labelled:
        rows += agreement_results(patterns.labels, read_labels(labelled), sources, setting)
    return ReadHeads(rows, pieces, sources, len(drawn) - len(texts), kept.maps)
