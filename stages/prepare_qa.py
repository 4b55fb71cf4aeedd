"""Turn a reading-comprehension corpus into the tables of its questions and answers."""

from tuneprobe import paths
from tuneprobe.corpora.mrc import task_shards
from tuneprobe.examples.qa_parts import join_qa, write_qa_part
from tuneprobe.examples.shards import prepared
from tuneprobe.params import load_params
from tuneprobe.stage import TaskName, run, spread


def main(task: TaskName) -> None:
    """Write the questions of TASK."""
    entry = load_params().task(task)
    shards = task_shards(
        entry.format,
        entry.path,
        paths.DATA.absolute(),
        split=str(entry.split),
        endings=entry.files,
    )
    with prepared(
        write_qa_part,
        shards,
        cache=paths.parts(paths.questions(task)),
        **spread(),
    ) as parts:
        join_qa(
            parts,
            paths.examples(paths.questions(task)),
            **entry.provenance,
        )


if __name__ == "__main__":
    run(main)
