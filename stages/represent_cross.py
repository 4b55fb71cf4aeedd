"""Store the vectors of a task at every layer under encoders that were tuned on other tasks."""

from tuneprobe import paths
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.parallel import launched_processes
from tuneprobe.encoders.represent import write_representations
from tuneprobe.formats.examples import read_examples
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.states import FINETUNED


@launched_processes()
def main(task: str, tuned_on: list[str]) -> None:
    """Represent TASK once for each task of TUNED_ON."""
    params = load_params()
    thread_limit(params.threads)
    examples = read_examples(paths.examples(task))
    for other in tuned_on:
        encoder = load_encoder(
            params.encoder,
            **params.encoder_source(),
            state=FINETUNED,
            seed=params.seed,
            checkpoint=paths.checkpoint(params.encoder, other, FINETUNED),
        )
        write_representations(
            encoder,
            examples,
            paths.cross_representation(params.encoder, task, other),
            **params.represent.model_dump(),
        )


if __name__ == "__main__":
    run(main)
