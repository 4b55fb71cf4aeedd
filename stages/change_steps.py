"""Put layers back while an encoder is tuned on a task: from which update on which layer matters."""

from typing import Any

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.parallel import is_main, launched_processes
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import stamp, write_results
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, Study, TaskName, run
from tuneprobe.studies.change.restore.outcomes import STUDY
from tuneprobe.studies.change.steps.study import STAGE, follow_layers, step_rows


@launched_processes()
def main(encoder: EncoderName, task: TaskName, seed: Seed, study: Study) -> None:
    """Tune ENCODER on TASK as `finetune_labels` does for STUDY; put its layers back on the way."""
    params = load_params()
    thread_limit(params.threads)
    shared: dict[str, Any] = {"task": task, "seed": seed}
    before, tuned = (load_encoder(encoder, **params.encoder_settings(encoder)) for _ in range(2))
    looked = follow_layers(
        before,
        tuned,
        read_examples(paths.examples(task)),
        kind=params.task(task).kind,
        steps=params.change.dynamics.steps,
        max_texts=params.change.max_texts,
        tokens_per_batch=params.change.tokens_per_batch,
        work=paths.resume_point(encoder, task, STAGE, seed),
        **shared,
        **params.tuning(study).model_dump(),
    )
    if not is_main():
        return
    rows = step_rows(looked, **shared, **params.intervals.model_dump())
    with atomic_folder(paths.results(encoder, task, STAGE, seed)) as made:
        level = params.intervals.confidence
        stamped = stamp(rows, study=STUDY, encoder=encoder, level=level, **shared)
        write_results(stamped, made / "layers.csv")


if __name__ == "__main__":
    run(main)
