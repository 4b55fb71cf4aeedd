"""Turn labelled texts into the tables of their texts, or pairs of texts, and labels."""

from tuneprobe import paths
from tuneprobe.examples.labelled import build_labelled
from tuneprobe.formats.examples import write_examples
from tuneprobe.params import load_params
from tuneprobe.stage import TaskName, run


def main(task: TaskName) -> None:
    """Write the examples of TASK, and how many each class has."""
    params = load_params()
    entry = params.task(task)
    examples, counts, split = build_labelled(
        entry, paths.DATA, seed=params.sampling_seed, **params.prepare.texts.model_dump()
    )
    write_examples(
        examples, paths.examples(task), {"funnel.csv": counts}, **entry.provenance, **split
    )


if __name__ == "__main__":
    run(main)
