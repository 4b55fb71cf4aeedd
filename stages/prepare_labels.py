"""Turn labelled sentences into the tables of their words, or pairs of words, and labels."""

from tuneprobe import paths
from tuneprobe.examples.labels import build_labels
from tuneprobe.formats.examples import write_examples
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.tasks import get_task


def main(name: str) -> None:
    """Write the examples of the task NAME, and how many each label has."""
    params, task = load_params(), get_task(name)
    examples, counts = build_labels(
        task.corpus,
        task.target,
        paths.DATA,
        seed=params.seed,
        **params.prepare.labels.model_dump(),
    )
    write_examples(
        examples,
        paths.examples(name),
        {"funnel.csv": counts},
        **task.provenance,
    )


if __name__ == "__main__":
    run(main)
