"""Train small classifiers on every layer of every state."""

from typing import Any

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import open_members
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import EncoderName, Seed, TaskName, run, spread
from tuneprobe.states import FINETUNED, PRETRAINED, STATES, members, stamped
from tuneprobe.studies.geometry.classifiers.study import (
    ANSWERS,
    NETWORKS,
    STUDY,
    accuracy_gaps,
    layer_accuracy,
    over_baselines,
)
from tuneprobe.units import NUMBERS, chosen, layer_units, measured, result_rows


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Probe TASK in every state of ENCODER; the first seed has the random weights beside it."""
    params = load_params()
    settings = params.geometry.classify.model_dump()
    shared = {**params.intervals.model_dump(), "seed": seed}
    where = {extra: settings.pop(extra) for extra in ("controls", "codelength")}
    examples = read_examples(paths.examples(task))
    measured_states = members(STATES, seed, params.run.first_draw_beside(seed))
    states = open_members(encoder, task, examples, measured_states)

    def arguments(layer: int, n_layers: int) -> dict[str, Any]:
        extras = {extra: chosen(which, layer, n_layers) for extra, which in where.items()}
        return {**settings, **extras, **shared}

    units = layer_units(states, arguments)
    table = example_table(examples, states[PRETRAINED].types())
    cache = paths.resume_point(encoder, task, STUDY, seed)
    with (
        measured(
            layer_accuracy,
            units,
            table,
            cache=cache,
            **spread(),
        ) as found,
        atomic_folder(paths.results(encoder, task, STUDY, seed)) as folder,
    ):
        keys: dict[str, Any] = {"encoder": encoder, "task": task, "seed": seed}
        level = params.intervals.confidence
        rows = result_rows(found[NUMBERS], study=STUDY, level=level, **keys)
        rows += accuracy_gaps(
            found[ANSWERS],
            after=FINETUNED,
            before=PRETRAINED,
            **params.intervals.model_dump(),
            **keys,
        )
        rows += over_baselines(
            found[ANSWERS], table, state=FINETUNED, **params.intervals.model_dump(), **keys
        )
        write_results(stamped(rows, measured_states), folder / "layers.csv")
        found[ANSWERS].to_parquet(folder / f"{ANSWERS}.parquet", index=False)
        found[NETWORKS].to_csv(folder / f"{NETWORKS}.csv", index=False)


if __name__ == "__main__":
    run(main)
