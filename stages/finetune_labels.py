"""Tune an encoder on labelled texts, or only a head on the frozen encoder."""

from tuneprobe import paths
from tuneprobe.encoders.encoder import load_encoder, load_tuned_elsewhere, thread_limit
from tuneprobe.encoders.parallel import launched_processes
from tuneprobe.formats.examples import read_examples
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, State, Study, TaskName, run
from tuneprobe.states import FINETUNED, PRETRAINED, RANDOM, RANDOM_FINETUNED
from tuneprobe.tuning.labelling import tune_labels


@launched_processes()
def main(encoder: EncoderName, task: TaskName, state: State, seed: Seed, study: Study) -> None:
    """Tune ENCODER on TASK with the settings of STUDY.

    STATE is `finetuned`, or `frozen` (the head alone is trained), or `random-finetuned` (from
    random weights). Of an encoder that was tuned elsewhere, `finetuned` is a head on these weights.
    """
    params = load_params()
    thread_limit(params.threads)
    loaded = load_encoder(
        encoder,
        **params.encoder_settings(encoder),
        state=RANDOM if state == RANDOM_FINETUNED else PRETRAINED,
        seed=seed,
    )
    elsewhere = params.tuned_elsewhere(encoder) if state == FINETUNED else None
    if elsewhere:
        loaded = load_tuned_elsewhere(loaded, **elsewhere)
    tune_labels(
        loaded,
        read_examples(paths.examples(task)),
        kind=params.task(task).kind,
        state=state,
        seed=seed,
        head_only=elsewhere is not None,
        out=paths.checkpoint(encoder, task, state, seed),
        work=paths.resume_point(encoder, task, state, seed),
        curves=paths.training(encoder, task, state, seed),
        **params.tuning(study).model_dump(),
    )


if __name__ == "__main__":
    run(main)
