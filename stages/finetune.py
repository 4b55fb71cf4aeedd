"""Tune an encoder to read, or only a head on the frozen encoder."""

from tuneprobe import paths
from tuneprobe.encoders.encoder import load_encoder, load_tuned_elsewhere, thread_limit
from tuneprobe.encoders.parallel import launched_processes
from tuneprobe.examples.qa import drawn_questions, read_questions
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, State, TaskName, run
from tuneprobe.states import FINETUNED
from tuneprobe.tuning.finetune import finetune_reader


@launched_processes()
def main(encoder: EncoderName, task: TaskName, state: State, seed: Seed) -> None:
    """Tune ENCODER on TASK; STATE is `finetuned`, or `frozen` for the head alone.

    Of an encoder that was tuned elsewhere, `finetuned` is a head on these weights.
    """
    params = load_params()
    thread_limit(params.threads)
    asked, settings = paths.questions(task), params.finetune.model_dump()
    questions = read_questions(paths.examples(asked), "train")
    loaded = load_encoder(encoder, **params.encoder_settings(encoder))
    elsewhere = params.tuned_elsewhere(encoder) if state == FINETUNED else None
    if elsewhere:
        loaded = load_tuned_elsewhere(loaded, **elsewhere)
    finetune_reader(
        loaded,
        drawn_questions(questions, settings.pop("max_questions"), params.sampling_seed, asked),
        state=state,
        seed=seed,
        head_only=elsewhere is not None,
        out=paths.checkpoint(encoder, asked, state, seed),
        work=paths.resume_point(encoder, asked, state, seed),
        curves=paths.training(encoder, asked, state, seed),
        **settings,
    )


if __name__ == "__main__":
    run(main)
