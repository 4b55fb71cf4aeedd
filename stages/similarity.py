"""Compare train with test, states and layers: spatial similarity, CKA, RSA."""

from typing import Any

from threadpoolctl import threadpool_limits

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import open_members
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import STATES, members, stamped
from tuneprobe.studies.geometry.directprobe.study import DISTANCES, read_distances
from tuneprobe.studies.geometry.directprobe.study import STUDY as GEOMETRY
from tuneprobe.studies.geometry.similarity.study import (
    STUDY,
    spatial_similarities,
    state_pairs,
    vector_similarities,
)


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Compare the spaces of TASK; its label distances are those of the stage `geometry`."""
    params = load_params()
    threadpool_limits(params.threads)
    settings = params.geometry.similarity
    examples = read_examples(paths.examples(task))
    measured_states = members(STATES, seed, params.run.first_draw_beside(seed))
    states = open_members(encoder, task, examples, measured_states)
    distances = read_distances(paths.results(encoder, task, GEOMETRY, seed) / DISTANCES)
    shared: dict[str, Any] = {
        "pairs": state_pairs([state for state in STATES if state in states]),
        "encoder": encoder,
        "task": task,
        "seed": seed,
    }
    rows = spatial_similarities(distances, zero_fill=settings.zero_fill, **shared)
    rows += vector_similarities(
        states,
        example_table(examples),
        layer_states=[state for state in settings.layer_states if state in states],
        max_examples=settings.max_examples,
        **shared,
    )
    with atomic_folder(paths.results(encoder, task, STUDY, seed)) as folder:
        write_results(stamped(rows, measured_states), folder / "layers.csv")


if __name__ == "__main__":
    run(main)
