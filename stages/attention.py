"""Measure what every head attends to, before and after tuning; only a few maps are stored."""

from pathlib import Path

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder, write_meta
from tuneprobe.encoders.encoder import load_members, thread_limit
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.params import ParamsError, load_params
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import FINETUNED, RANDOM, members, stamped
from tuneprobe.studies.attention.maps.example_maps import write_example_maps
from tuneprobe.studies.attention.maps.study import Aggregation
from tuneprobe.studies.attention.patterns.network import read_network
from tuneprobe.studies.attention.patterns.sheet import write_sheet
from tuneprobe.studies.attention.study import read_heads


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
        **params.encoder_settings(encoder),
        checkpoint=paths.checkpoint(encoder, task, FINETUNED, seed),
    )
    found = read_heads(
        encoders,
        read_examples(paths.examples(task)),
        read_network(paths.PATTERNS),
        before=settings.before,
        max_texts=settings.max_texts,
        max_pieces=settings.max_pieces,
        aggregation=Aggregation(settings.rows, settings.tokens, settings.padded_to),
        tokens_per_batch=settings.tokens_per_batch,
        sheet=settings.sheet,
        labelled=Path(settings.labelled) if settings.labelled else None,
        sampling_seed=params.sampling_seed,
        encoder=encoder,
        task=task,
        seed=seed,
        **params.intervals.model_dump(),
    )
    with atomic_folder(paths.results(encoder, task, "attention", seed)) as folder:
        write_results(stamped(found.rows, measured_states), folder / "heads.csv")
        by_state = {str(state): encoders[state] for state in settings.states if state in encoders}
        maps, how = folder / "maps", settings.example_maps.model_dump()
        write_example_maps(maps, by_state, found.pieces, **how)
        write_sheet(folder / "sheet", found.sheet, found.sources, encoder=encoder, task=task)
        write_meta(folder, texts=len(found.pieces), too_long=found.too_long)


if __name__ == "__main__":
    run(main)
