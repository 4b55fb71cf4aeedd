"""Measure what every head attends to, before and after tuning; only a few maps are stored."""

from pathlib import Path

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder, write_meta
from tuneprobe.encoders.encoder import load_members, thread_limit
from tuneprobe.examples.annotate import load_spacy
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.params import ParamsError, load_params
from tuneprobe.rng import rng
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import FINETUNED, RANDOM, members, stamped
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


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Read the maps of TASK's test texts in every state of ENCODER; `finetuned`: tuned on TASK."""
    params = load_params()
    settings = params.attention.maps
    thread_limit(params.threads)
    draws = params.run.first_draw_beside(seed)
    if settings.before == RANDOM and not draws:
        raise ParamsError(
            "attention.maps.before is 'random', which only the first seed has beside it: run one "
            "seed, or compare with 'pretrained'."
        )
    measured_states = members(settings.states, seed, draws)
    encoders = load_members(
        encoder,
        measured_states,
        **params.encoder_source(encoder),
        checkpoint=paths.checkpoint(encoder, task, FINETUNED, seed),
    )
    reader = encoders[settings.before]
    examples = read_examples(paths.examples(task))
    drawn = sample_texts(examples, max_texts=settings.max_texts, seed=params.sampling_seed)
    texts, pieces = short_texts(reader, examples.texts.iloc[drawn], settings.max_pieces)
    size = {
        "n_texts": len(pieces),
        "n_layers": reader.n_layers,
        "n_heads": reader.model.config.num_attention_heads,
    }
    patterns = PatternReader(read_network(paths.PATTERNS), list(encoders), **size)
    sheet = SheetMaps(
        settings.sheet, list(encoders), **size, rng=rng(params.sampling_seed, "sheet", task)
    )

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
        seed=seed,
        **params.intervals.model_dump(),
    )
    setting = Setting(encoder, task, seed, **params.intervals.model_dump())
    rows += pattern_results(patterns.labels, setting)
    sources = list(texts.source)
    if settings.labelled:
        labelled = read_labels(Path(settings.labelled))
        rows += agreement_results(patterns.labels, labelled, sources, setting)
    with atomic_folder(paths.results(encoder, task, "attention", seed)) as folder:
        write_results(stamped(rows, measured_states), folder / "heads.csv")
        by_state = {str(state): encoders[state] for state in settings.states if state in encoders}
        write_example_maps(folder / "maps", by_state, pieces, **settings.example_maps.model_dump())
        write_sheet(folder / "sheet", sheet.maps, sources, encoder=encoder, task=task)
        write_meta(folder, texts=len(texts), too_long=len(drawn) - len(texts))


if __name__ == "__main__":
    run(main)
