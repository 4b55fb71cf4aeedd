"""Store the vectors of a task's spans on the way, while an encoder is tuned on the task."""

from tuneprobe import paths
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.parallel import launched_processes
from tuneprobe.encoders.source import checkpoint_steps
from tuneprobe.formats.examples import read_examples
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, Study, TaskName, run
from tuneprobe.tuning.snapshots import write_series, write_snapshots


@launched_processes()
def main(encoder: EncoderName, task: TaskName, seed: Seed, study: Study) -> None:
    """Tune ENCODER on TASK as `finetune_labels` does for STUDY, and write snapshots.

    Of an encoder that was tuned elsewhere: those of the checkpoints that it left on the way.
    """
    params = load_params()
    thread_limit(params.threads)
    before = load_encoder(encoder, **params.encoder_settings(encoder))
    examples = read_examples(paths.examples(task))
    if folder := params.followed_elsewhere(encoder):
        write_series(
            before,
            checkpoint_steps(encoder, folder),
            examples,
            tokens_per_batch=params.represent.tokens_per_batch,
            out=paths.snapshots(encoder, task, seed),
            work=paths.resume_point(encoder, task, "snapshots", seed),
        )
        return
    write_snapshots(
        before,
        examples,
        every=params.geometry.snapshot_every,
        kind=params.task(task).kind,
        tokens_per_batch=params.represent.tokens_per_batch,
        seed=seed,
        out=paths.snapshots(encoder, task, seed),
        work=paths.resume_point(encoder, task, "snapshots", seed),
        **params.tuning(study).model_dump(),
    )


if __name__ == "__main__":
    run(main)
