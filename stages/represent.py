"""Store the vectors of all spans of a task at every layer, in some states of the encoder."""

from typing import Annotated

import typer

from tuneprobe import paths
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.parallel import launched_processes
from tuneprobe.encoders.represent import write_representations
from tuneprobe.formats.examples import read_examples
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, TaskName, run
from tuneprobe.states import FINETUNED, PRETRAINED, RANDOM, members

Reading = Annotated[bool, typer.Option(help="TASK is read: its pairs, its questions tuned on.")]
TuningSeed = Annotated[int | None, typer.Option("--seed", help="Of tuning; none: before it.")]
TunedOn = Annotated[str | None, typer.Option("--tuned_on", help="Another task with a checkpoint.")]


@launched_processes()
def main(
    encoder: EncoderName,
    task: TaskName,
    reading: Reading = False,
    seed: TuningSeed = None,
    tuned_on: TunedOn = None,
) -> None:
    """Represent TASK in ENCODER: before tuning, or under a seed as tuned on TASK or another."""
    params = load_params()
    thread_limit(params.threads)
    spans, own = (paths.pairs(task), paths.questions(task)) if reading else (task, task)
    examples = read_examples(paths.examples(spans))
    states = (RANDOM, PRETRAINED) if seed is None else (FINETUNED,)
    draws = params.run.draws if reading else params.run.draws[:1]
    for _, state, its_seed in members(states, seed or 0, draws):
        folder = paths.representation(encoder, spans, state, its_seed)
        if tuned_on:
            folder = paths.cross_representation(encoder, spans, tuned_on, its_seed)
        loaded = load_encoder(
            encoder,
            **params.encoder_settings(encoder),
            state=state,
            seed=its_seed,
            checkpoint=paths.checkpoint(encoder, tuned_on or own, FINETUNED, its_seed),
        )
        write_representations(loaded, examples, folder, **params.represent.model_dump())


if __name__ == "__main__":
    run(main)
