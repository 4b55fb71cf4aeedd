"""Find the heads that link annotated words: frame elements, dependents, coreference."""

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import load_states, thread_limit
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.states import FINETUNED
from tuneprobe.studies.attention.maps.word_pairs import pair_results, pair_weights


def main(task: str, tuned_on: str) -> None:
    """Score the heads on TASK's pairs of words; `finetuned` is the encoder tuned on TUNED_ON."""
    params = load_params()
    settings, encoder = params.attention.pair_heads, params.encoder
    thread_limit(params.threads)
    encoders = load_states(
        encoder,
        settings.states,
        **params.encoder_source(),
        seed=params.seed,
        checkpoint=paths.checkpoint(encoder, tuned_on, FINETUNED),
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
        seed=params.seed,
        **params.intervals.model_dump(),
    )
    with atomic_folder(paths.results(encoder, task, "pair-heads")) as folder:
        write_results(rows, folder / "pairs.csv")


if __name__ == "__main__":
    run(main)
