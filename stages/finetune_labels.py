"""Tune an encoder on labelled texts, or only a head on the frozen encoder."""

from tuneprobe import paths
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.parallel import launched_processes
from tuneprobe.formats.examples import read_examples
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.states import PRETRAINED, RANDOM, RANDOM_FINETUNED
from tuneprobe.tasks import get_task
from tuneprobe.tuning.labelling import tune_labels


@launched_processes()
def main(task: str, state: str, study: str) -> None:
    """Tune on TASK with the settings of STUDY; STATE is `finetuned`, `frozen`, `random-finetuned`.

    `frozen` trains the head alone; `random-finetuned` begins with random weights.
    """
    params, kind = load_params(), get_task(task).kind
    thread_limit(params.threads)
    encoder = load_encoder(
        params.encoder,
        **params.encoder_source(),
        state=RANDOM if state == RANDOM_FINETUNED else PRETRAINED,
        seed=params.seed,
    )
    tune_labels(
        encoder,
        read_examples(paths.examples(task)),
        kind=kind,
        state=state,
        seed=params.seed,
        out=paths.checkpoint(params.encoder, task, state),
        work=paths.resume_point(params.encoder, task, state),
        curves=paths.training(params.encoder, task, state),
        **params.tuning(study).model_dump(),
    )


if __name__ == "__main__":
    run(main)
