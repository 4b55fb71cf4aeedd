"""Measure what every head attends to, before and after tuning; only a few maps are stored."""

from pathlib import Path

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder, write_meta
from tuneprobe.encoders.encoder import load_states, thread_limit
from tuneprobe.examples.annotate import load_spacy
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.rng import rng
from tuneprobe.stage import run
from tuneprobe.states import FINETUNED
from tuneprobe.studies.attention.maps.example_maps import write_example_maps
from tuneprobe.studies.attention.maps.maps import LayerMaps
from tuneprobe.studies.attention.maps.study import (
    Aggregation,
    attention_results,
    measure_heads,
    sample_texts,
    short_texts,
)
from tuneprobe.studies.attention.maps.token_types import UNUSED_PARTS, token_types
from tuneprobe.studies.attention.patterns.network import read_network
from tuneprobe.studies.attention.patterns.sheet import SheetMaps, read_labels, write_sheet
from tuneprobe.studies.attention.patterns.study import (
    PatternReader,
    Setting,
    agreement_results,
    pattern_results,
)


def main(task: str) -> None:
    """Read the maps of TASK's test texts in every state; `finetuned` is the encoder tuned on it."""
    params = load_params()
    settings, encoder = params.attention.maps, params.encoder
    thread_limit(params.threads)
    encoders = load_states(
        encoder,
        settings.states,
        **params.encoder_source(),
        seed=params.seed,
        checkpoint=paths.checkpoint(encoder, task, FINETUNED),
    )
    reader = encoders[settings.before]
    examples = read_examples(paths.examples(task))
    drawn = sample_texts(examples, max_texts=settings.max_texts, seed=params.seed)
    texts, pieces = short_texts(reader, examples.texts.iloc[drawn], settings.max_pieces)
    size = {
        "n_texts": len(pieces),
        "n_layers": reader.n_layers,
        "n_heads": reader.model.config.num_attention_heads,
    }
    patterns = PatternReader(read_network(paths.PATTERNS), list(encoders), **size)
    sheet = SheetMaps(settings.sheet, list(encoders), **size, rng=rng(params.seed, "sheet", task))

    def also(found: LayerMaps) -> None:
        patterns(found)
        sheet(found)

    measures = measure_heads(
        encoders,
        pieces,
        token_types(load_spacy(exclude=UNUSED_PARTS), reader.tokenizer, texts, pieces),
        before=settings.before,
        aggregation=Aggregation(settings.rows, settings.tokens, settings.padded_to),
        tokens_per_batch=settings.tokens_per_batch,
        also=also,
    )
    rows = attention_results(
        measures,
        encoder=encoder,
        task=task,
        seed=params.seed,
        **params.intervals.model_dump(),
    )
    setting = Setting(encoder, task, params.seed, **params.intervals.model_dump())
    rows += pattern_results(patterns.labels, setting)
    sources = list(texts.source)
    if settings.labelled:
        labelled = read_labels(Path(settings.labelled))
        rows += agreement_results(patterns.labels, labelled, sources, setting)
    with atomic_folder(paths.results(encoder, task, "attention")) as folder:
        write_results(rows, folder / "heads.csv")
        write_example_maps(folder / "maps", encoders, pieces, **settings.example_maps.model_dump())
        write_sheet(folder / "sheet", sheet.maps, sources, encoder=encoder, task=task)
        write_meta(folder, texts=len(texts), too_long=len(drawn) - len(texts))


if __name__ == "__main__":
    run(main)
