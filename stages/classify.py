"""Train small classifiers on every layer of every state."""

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import open_members
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import EncoderName, Seed, TaskName, run, spread
from tuneprobe.states import FINETUNED, PRETRAINED, STATES, members, stamped
from tuneprobe.studies.geometry.classifiers.information import word_table
from tuneprobe.studies.geometry.classifiers.study import (
    ANSWERS,
    NETWORKS,
    STUDY,
    WORDS,
    probe_spaces,
)


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Probe TASK in every state of ENCODER; the first seed has the random weights beside it."""
    params = load_params()
    examples = read_examples(paths.examples(task))
    measured_states = members(STATES, seed, params.run.first_draw_beside(seed))
    states = open_members(encoder, task, examples, measured_states)
    table = example_table(examples, states[PRETRAINED].types())
    with (
        probe_spaces(
            states,
            table,
            encoder=encoder,
            task=task,
            seed=seed,
            cache=paths.resume_point(encoder, task, STUDY, seed),
            **params.geometry.classify.model_dump(),
            **params.intervals.model_dump(),
            **spread(),
        ) as (rows, found),
        atomic_folder(paths.results(encoder, task, STUDY, seed)) as folder,
    ):
        write_results(stamped(rows, measured_states), folder / "layers.csv")
        found[ANSWERS].to_parquet(folder / f"{ANSWERS}.parquet", index=False)
        words = word_table(found[ANSWERS], table, examples, after=FINETUNED, before=PRETRAINED)
        words.to_csv(folder / f"{WORDS}.csv", index=False)
        found[NETWORKS].to_csv(folder / f"{NETWORKS}.csv", index=False)


if __name__ == "__main__":
    run(main)
