"""Tune an encoder to read, or only a head on the frozen encoder."""

from tuneprobe import paths
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.parallel import launched_processes
from tuneprobe.examples.qa import read_questions
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.tuning.finetune import finetune_reader


@launched_processes()
def main(task: str, state: str) -> None:
    """Tune on TASK; STATE is `finetuned`, or `frozen` for the head alone."""
    params = load_params()
    thread_limit(params.threads)
    finetune_reader(
        load_encoder(params.encoder, **params.encoder_source()),
        read_questions(paths.examples(task), "train"),
        state=state,
        seed=params.seed,
        out=paths.checkpoint(params.encoder, task, state),
        work=paths.resume_point(params.encoder, task, state),
        curves=paths.training(params.encoder, task, state),
        **params.finetune.model_dump(),
    )


if __name__ == "__main__":
    run(main)
