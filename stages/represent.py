"""Store the vectors of all spans of a task at every layer, in some states of the encoder."""

from tuneprobe import paths
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.parallel import launched_processes
from tuneprobe.encoders.represent import write_representations
from tuneprobe.formats.examples import read_examples
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.states import FINETUNED


@launched_processes()
def main(task: str, tuned_on: str, states: list[str]) -> None:
    """Represent TASK in STATES; the state `finetuned` is the encoder tuned on TUNED_ON."""
    params = load_params()
    thread_limit(params.threads)
    examples = read_examples(paths.examples(task))
    for state in states:
        encoder = load_encoder(
            params.encoder,
            **params.encoder_source(),
            state=state,
            seed=params.seed,
            checkpoint=paths.checkpoint(params.encoder, tuned_on, FINETUNED),
        )
        write_representations(
            encoder,
            examples,
            paths.representation(params.encoder, task, state),
            **params.represent.model_dump(),
        )


if __name__ == "__main__":
    run(main)
