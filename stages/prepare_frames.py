"""Select the FrameNet sentences whose frame elements are short and far from the target."""

from tuneprobe import paths
from tuneprobe.examples.frames import build_frames
from tuneprobe.formats.examples import write_examples
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.tasks import get_task


def main(name: str) -> None:
    """Write the examples of the task NAME, and how many each step kept."""
    task, settings = get_task(name), load_params().prepare.frames
    examples, funnel = build_frames(task.corpus, paths.DATA, **settings.model_dump())
    write_examples(
        examples,
        paths.examples(name),
        {"funnel.csv": funnel},
        **task.provenance,
    )


if __name__ == "__main__":
    run(main)
