"""Follow labels through the snapshots of a fine-tuning: how far apart, where to, how alike."""

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import EncoderName, Seed, TaskName, run, spread
from tuneprobe.studies.geometry.similarity.dynamics import STUDY, follow_snapshots, open_snapshots


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Measure the snapshots of the fine-tuning of ENCODER on TASK."""
    params = load_params()
    examples = read_examples(paths.examples(task))
    with (
        follow_snapshots(
            open_snapshots(paths.snapshots(encoder, task, seed), examples),
            example_table(examples),
            rtol=params.geometry.directprobe.rtol,
            confidence=params.intervals.confidence,
            encoder=encoder,
            task=task,
            seed=seed,
            cache=paths.resume_point(encoder, task, STUDY, seed),
            **params.geometry.dynamics.model_dump(exclude={"tasks"}),
            **spread(),
        ) as (rows, tables),
        atomic_folder(paths.results(encoder, task, STUDY, seed)) as folder,
    ):
        write_results(rows, folder / "layers.csv")
        for name, table in tables._asdict().items():
            table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    run(main)
