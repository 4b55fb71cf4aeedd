"""Turn a sentence task of GLUE into the tables of its texts and labels."""

from tuneprobe import paths
from tuneprobe.corpora.glue import split_rule
from tuneprobe.examples.texts import build_texts
from tuneprobe.formats.examples import write_examples
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.tasks import get_task


def main(name: str) -> None:
    """Write the examples of the task NAME, and how many each class has."""
    params, task = load_params(), get_task(name)
    examples, counts = build_texts(
        task.corpus,
        task.target,
        paths.DATA,
        seed=params.seed,
        **params.prepare.texts.model_dump(),
    )
    write_examples(
        examples,
        paths.examples(name),
        {"funnel.csv": counts},
        **task.provenance,
        split=split_rule(task.corpus, task.target, paths.DATA),
    )


if __name__ == "__main__":
    run(main)
