"""Compare train with test, states and layers: spatial similarity, CKA, RSA, neighbours."""

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
    split_deficits,
    state_pairs,
    vector_similarities,
)
from tuneprobe.units import chosen


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Compare the spaces of TASK; its label distances are those of the stage `geometry`."""
    params = load_params()
    threadpool_limits(params.threads)
    settings = params.geometry.similarity
    examples = read_examples(paths.examples(task))
    measured_states = members(STATES, seed, params.run.first_draw_beside(seed))
    states = open_members(encoder, task, examples, measured_states)
    distances = read_distances(paths.results(encoder, task, GEOMETRY, seed) / DISTANCES)
    compared = {str(state): states[state] for state in settings.layer_states if state in states}
    pairs = state_pairs([state for state in STATES if state in states])
    n_layers = next(iter(states.values())).n_layers
    table, zero_fill = example_table(examples), settings.zero_fill
    of: dict[str, Any] = {"encoder": encoder, "task": task, "seed": seed}
    rows = spatial_similarities(distances, pairs=pairs, zero_fill=zero_fill, **of)
    rows += split_deficits(
        compared,
        table,
        distances,
        layers=[n for n in range(n_layers) if chosen(settings.split_layers, n, n_layers)],
        draws=settings.splits,
        rtol=params.geometry.directprobe.rtol,
        confidence=params.intervals.confidence,
        zero_fill=zero_fill,
        **of,
    )
    rows += vector_similarities(
        states,
        table,
        pairs=pairs,
        layer_states=list(compared),
        max_examples=settings.max_examples,
        neighbours=settings.neighbours,
        **of,
    )
    with atomic_folder(paths.results(encoder, task, STUDY, seed)) as folder:
        write_results(stamped(rows, measured_states), folder / "layers.csv")


if __name__ == "__main__":
    run(main)
