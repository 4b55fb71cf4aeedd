"""Turn a reading-comprehension corpus into the tables of its questions and answers."""

from tuneprobe import paths
from tuneprobe.corpora.mrc import read_mrc
from tuneprobe.examples import write_examples
from tuneprobe.qa_examples import build_qa
from tuneprobe.stage import run
from tuneprobe.tasks import get_task


def main(name: str) -> None:
    """Write the examples of the task NAME."""
    task = get_task(name)
    examples = build_qa(read_mrc(task.corpus, paths.DATA))
    write_examples(
        examples,
        paths.examples(name),
        corpus=task.corpus,
        synthetic=task.synthetic,
        version=task.version,
    )


if __name__ == "__main__":
    run(main)
