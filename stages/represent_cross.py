"""Store the vectors of a task at every layer under an encoder that was tuned on another."""

from typing import Annotated

import typer

from tuneprobe import paths
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.parallel import launched_processes
from tuneprobe.encoders.represent import write_representations
from tuneprobe.formats.examples import read_examples
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import FINETUNED

TunedOn = Annotated[str, typer.Option("--tuned_on", help="A task with a checkpoint.")]


@launched_processes()
def main(encoder: EncoderName, task: TaskName, tuned_on: TunedOn, seed: Seed) -> None:
    """Represent TASK in ENCODER as it was tuned on TUNED_ON."""
    params = load_params()
    thread_limit(params.threads)
    examples = read_examples(paths.examples(task))
    loaded = load_encoder(
        encoder,
        **params.encoder_source(encoder),
        state=FINETUNED,
        seed=seed,
        checkpoint=paths.checkpoint(encoder, tuned_on, FINETUNED, seed),
    )
    write_representations(
        loaded,
        examples,
        paths.cross_representation(encoder, task, tuned_on, seed),
        **params.represent.model_dump(),
    )


if __name__ == "__main__":
    run(main)
