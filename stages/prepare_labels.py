"""Turn labelled sentences into the tables of their words, or pairs of words, and labels."""

from tuneprobe import paths
from tuneprobe.examples.labelled import write_labelled
from tuneprobe.params import load_params
from tuneprobe.stage import TaskName, run


def main(task: TaskName) -> None:
    """Write the examples of TASK, and how many each label has."""
    params = load_params()
    settings = {"seed": params.sampling_seed, **params.prepare.labels.model_dump()}
    write_labelled(params.task(task), paths.DATA, paths.examples(task), **settings)


if __name__ == "__main__":
    run(main)
