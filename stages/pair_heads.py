"""Find the heads that link annotated words: frame elements, dependents, coreference."""

from typing import Annotated

import typer

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import load_members, thread_limit
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, run
from tuneprobe.states import FINETUNED, members, stamped
from tuneprobe.studies.attention.maps.word_pairs import pair_results, pair_weights

LinkedTask = Annotated[str, typer.Option("--linked.task", help="Whose pairs of words.")]
TunedOn = Annotated[str, typer.Option("--linked.tuned_on", help="A task with a checkpoint.")]


def main(encoder: EncoderName, task: LinkedTask, tuned_on: TunedOn, seed: Seed) -> None:
    """Score the heads on TASK's pairs of words; `finetuned` is the encoder tuned on TUNED_ON."""
    params = load_params()
    settings = params.attention.pair_heads
    thread_limit(params.threads)
    measured_states = members(settings.states, seed, params.run.first_draw_beside(seed))
    encoders = load_members(
        encoder,
        measured_states,
        **params.encoder_settings(encoder),
        checkpoint=paths.checkpoint(encoder, tuned_on, FINETUNED, seed),
    )
    weights = pair_weights(
        encoders,
        read_examples(paths.examples(task)),
        pairing=settings.pairing,
        tokens_per_batch=settings.tokens_per_batch,
    )
    rows = pair_results(
        weights,
        encoder=encoder,
        task=task,
        seed=seed,
        **params.intervals.model_dump(),
    )
    with atomic_folder(paths.results(encoder, task, "pair-heads", seed)) as folder:
        write_results(stamped(rows, measured_states), folder / "pairs.csv")


if __name__ == "__main__":
    run(main)
