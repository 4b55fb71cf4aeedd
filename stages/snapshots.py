"""Store the vectors of a task's spans on the way, while an encoder is tuned on the task."""

from tuneprobe import paths
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.parallel import launched_processes
from tuneprobe.formats.examples import read_examples
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.tasks import get_task
from tuneprobe.tuning.snapshots import write_snapshots


@launched_processes()
def main(task: str, study: str) -> None:
    """Tune on TASK as `finetune_labels` does with the settings of STUDY, and write snapshots."""
    params, kind = load_params(), get_task(task).kind
    thread_limit(params.threads)
    write_snapshots(
        load_encoder(params.encoder, **params.encoder_source()),
        read_examples(paths.examples(task)),
        every=params.geometry.snapshot_every,
        kind=kind,
        tokens_per_batch=params.represent.tokens_per_batch,
        seed=params.seed,
        out=paths.snapshots(params.encoder, task),
        work=paths.resume_point(params.encoder, task, "snapshots"),
        **params.tuning(study).model_dump(),
    )


if __name__ == "__main__":
    run(main)
