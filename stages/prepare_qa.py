"""Turn a reading-comprehension corpus into the tables of its questions and answers."""

from tuneprobe import paths
from tuneprobe.corpora.mrc import mrc_shards
from tuneprobe.examples.qa_parts import join_qa, write_qa_part
from tuneprobe.examples.shards import prepared
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.tasks import get_task


def main(name: str) -> None:
    """Write the examples of the task NAME."""
    params, task = load_params(), get_task(name)
    shards = mrc_shards(task.corpus, paths.DATA.absolute())
    with prepared(
        write_qa_part,
        shards,
        cache=paths.parts(name),
        workers=params.workers,
        backend=params.backend,
    ) as parts:
        join_qa(
            parts,
            paths.examples(name),
            **task.provenance,
        )


if __name__ == "__main__":
    run(main)
