"""Compare train with test, states and layers: spatial similarity, CKA, RSA."""

from typing import Any

from threadpoolctl import threadpool_limits

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import open_states
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import run
from tuneprobe.studies.geometry.directprobe.study import DISTANCES, read_distances
from tuneprobe.studies.geometry.directprobe.study import STUDY as GEOMETRY
from tuneprobe.studies.geometry.similarity.study import (
    STUDY,
    spatial_similarities,
    state_pairs,
    vector_similarities,
)


def main(task: str) -> None:
    """Compare the spaces of TASK; its label distances are those of the stage `geometry`."""
    params = load_params()
    threadpool_limits(params.threads)
    encoder, settings = params.encoder, params.geometry.similarity
    examples = read_examples(paths.examples(task))
    states = open_states(encoder, task, examples)
    distances = read_distances(paths.results(encoder, task, GEOMETRY) / DISTANCES)
    shared: dict[str, Any] = {
        "pairs": state_pairs(list(states)),
        "encoder": encoder,
        "task": task,
        "seed": params.seed,
    }
    rows = spatial_similarities(distances, zero_fill=settings.zero_fill, **shared)
    rows += vector_similarities(
        states,
        example_table(examples),
        layer_states=settings.layer_states,
        max_examples=settings.max_examples,
        **shared,
    )
    with atomic_folder(paths.results(encoder, task, STUDY)) as folder:
        write_results(rows, folder / "layers.csv")


if __name__ == "__main__":
    run(main)
