"""Train small classifiers on every layer of every state."""

from typing import Any

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import open_states
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import run
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.studies.geometry.classifiers.study import (
    ANSWERS,
    NETWORKS,
    STUDY,
    accuracy_gaps,
    layer_accuracy,
)
from tuneprobe.units import NUMBERS, chosen, layer_units, measured, result_rows


def main(task: str) -> None:
    """Probe TASK in every state."""
    params = load_params()
    encoder, settings = params.encoder, params.geometry.classify.model_dump()
    shared = {**params.intervals.model_dump(), "seed": params.seed}
    where = {extra: settings.pop(extra) for extra in ("controls", "codelength")}
    examples = read_examples(paths.examples(task))
    states = open_states(encoder, task, examples)

    def arguments(layer: int, n_layers: int) -> dict[str, Any]:
        extras = {extra: chosen(which, layer, n_layers) for extra, which in where.items()}
        return {**settings, **extras, **shared}

    units = layer_units(states, arguments)
    cache = paths.resume_point(encoder, task, STUDY)
    with (
        measured(
            layer_accuracy,
            units,
            example_table(examples, states[PRETRAINED].types()),
            cache=cache,
            workers=params.workers,
            backend=params.backend,
        ) as found,
        atomic_folder(paths.results(encoder, task, STUDY)) as folder,
    ):
        keys: dict[str, Any] = {"encoder": encoder, "task": task, "seed": params.seed}
        level = params.intervals.confidence
        rows = result_rows(found[NUMBERS], study=STUDY, level=level, **keys)
        rows += accuracy_gaps(
            found[ANSWERS],
            after=FINETUNED,
            before=PRETRAINED,
            **params.intervals.model_dump(),
            **keys,
        )
        write_results(rows, folder / "layers.csv")
        found[ANSWERS].to_parquet(folder / f"{ANSWERS}.parquet", index=False)
        found[NETWORKS].to_csv(folder / f"{NETWORKS}.csv", index=False)


if __name__ == "__main__":
    run(main)
