"""Follow labels through the snapshots of a fine-tuning: how far apart, where to, how alike."""

from typing import Any

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import EncoderName, Seed, TaskName, run, spread
from tuneprobe.studies.geometry.similarity.dynamics import (
    STUDY,
    dynamics,
    dynamics_results,
    layer_snapshot,
    open_snapshots,
)
from tuneprobe.units import layer_units, measured


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Measure the snapshots of the fine-tuning of ENCODER on TASK."""
    params = load_params()
    settings = params.geometry.dynamics
    examples = read_examples(paths.examples(task))
    states = open_snapshots(paths.snapshots(encoder, task, seed), examples)
    units = layer_units(states, lambda *_: {"rtol": params.geometry.directprobe.rtol})
    cache = paths.resume_point(encoder, task, STUDY, seed)
    with (
        measured(
            layer_snapshot,
            units,
            example_table(examples),
            cache=cache,
            **spread(),
        ) as found,
        atomic_folder(paths.results(encoder, task, STUDY, seed)) as folder,
    ):
        level = params.intervals.confidence
        tables = dynamics(
            found, path_labels=settings.path_labels, most=settings.most, confidence=level
        )
        keys: dict[str, Any] = {"encoder": encoder, "task": task, "seed": seed, "level": level}
        rows = dynamics_results(tables, state="finetuned", **keys)
        write_results(rows, folder / "layers.csv")
        for name, table in tables._asdict().items():
            table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    run(main)
