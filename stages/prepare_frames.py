"""Select the FrameNet sentences whose frame elements are short and far from the target."""

from tuneprobe import paths
from tuneprobe.examples.frames import build_frames
from tuneprobe.formats.examples import write_examples
from tuneprobe.params import load_params
from tuneprobe.stage import TaskName, run


def main(task: TaskName) -> None:
    """Write the examples of TASK, and how many each step kept."""
    params = load_params()
    entry, settings = params.task(task), params.prepare.frames
    examples, funnel = build_frames(entry.path, paths.DATA, **settings.model_dump())
    write_examples(
        examples,
        paths.examples(task),
        {"funnel.csv": funnel},
        **entry.provenance,
    )


if __name__ == "__main__":
    run(main)
