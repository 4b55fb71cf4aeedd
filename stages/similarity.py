"""Compare train with test, states and layers: spatial similarity, CKA, RSA, neighbours."""

from threadpoolctl import threadpool_limits

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import open_members
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import EncoderName, Seed, TaskName, run, spread
from tuneprobe.states import STATES, members, stamped
from tuneprobe.studies.geometry.directprobe.study import DISTANCES, read_distances
from tuneprobe.studies.geometry.directprobe.study import STUDY as GEOMETRY
from tuneprobe.studies.geometry.similarity.study import STUDY, compare_spaces


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Compare the spaces of TASK; its label distances are those of the stage `geometry`."""
    params = load_params()
    threadpool_limits(params.threads)
    examples = read_examples(paths.examples(task))
    measured_states = members(STATES, seed, params.run.first_draw_beside(seed))
    rows = compare_spaces(
        open_members(encoder, task, examples, measured_states),
        example_table(examples),
        read_distances(paths.results(encoder, task, GEOMETRY, seed) / DISTANCES),
        rtol=params.geometry.directprobe.rtol,
        confidence=params.intervals.confidence,
        encoder=encoder,
        task=task,
        seed=seed,
        cache=paths.resume_point(encoder, task, STUDY, seed),
        **params.geometry.similarity.model_dump(),
        **spread(),
    )
    with atomic_folder(paths.results(encoder, task, STUDY, seed)) as folder:
        write_results(stamped(rows, measured_states), folder / "layers.csv")


if __name__ == "__main__":
    run(main)
