"""Cluster every layer of every state as DirectProbe does, and measure how far labels are apart."""

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import open_members
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import EncoderName, Seed, TaskName, run, spread
from tuneprobe.states import STATES, members, stamped
from tuneprobe.studies.geometry.directprobe.study import (
    DISTANCES,
    STUDY,
    cluster_spaces,
    write_directprobe_texts,
)


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Probe TASK in every state of ENCODER; the first seed has the random weights beside it."""
    params = load_params()
    examples = read_examples(paths.examples(task))
    measured_states = members(STATES, seed, params.run.first_draw_beside(seed))
    with (
        cluster_spaces(
            open_members(encoder, task, examples, measured_states),
            example_table(examples),
            encoder=encoder,
            task=task,
            seed=seed,
            cache=paths.resume_point(encoder, task, STUDY, seed),
            **params.geometry.directprobe.model_dump(),
            **spread(),
        ) as (rows, found),
        atomic_folder(paths.results(encoder, task, STUDY, seed)) as folder,
    ):
        write_results(stamped(rows, measured_states), folder / "layers.csv")
        found["distances"].to_parquet(folder / DISTANCES, index=False)
        if "directprobe" in found:
            write_directprobe_texts(found["directprobe"], folder / "directprobe")


if __name__ == "__main__":
    run(main)
