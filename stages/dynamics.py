"""Follow labels through the snapshots of a fine-tuning: how far apart, where to, how alike."""

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import run
from tuneprobe.studies.geometry.similarity.dynamics import (
    STUDY,
    dynamics,
    dynamics_results,
    layer_snapshot,
    open_snapshots,
)
from tuneprobe.units import layer_units, measured


def main(task: str) -> None:
    """Measure the snapshots of the fine-tuning on TASK."""
    params = load_params()
    encoder, settings = params.encoder, params.geometry.dynamics
    examples = read_examples(paths.examples(task))
    states = open_snapshots(paths.snapshots(encoder, task), examples)
    units = layer_units(states, lambda *_: {"rtol": params.geometry.directprobe.rtol})
    cache = paths.resume_point(encoder, task, STUDY)
    with (
        measured(
            layer_snapshot,
            units,
            example_table(examples),
            cache=cache,
            workers=params.workers,
            backend=params.backend,
        ) as found,
        atomic_folder(paths.results(encoder, task, STUDY)) as folder,
    ):
        tables = dynamics(found, path_labels=settings.path_labels, most=settings.most)
        rows = dynamics_results(
            tables, state="finetuned", encoder=encoder, task=task, seed=params.seed
        )
        write_results(rows, folder / "layers.csv")
        for name, table in tables._asdict().items():
            table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    run(main)
