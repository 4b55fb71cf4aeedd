"""What tuning changed, where, and whether it matters: layers put back, weights, erasure."""

from typing import Any

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.formats.results import stamp, write_results
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.studies.change.restore.outcomes import STUDY, ReaderSettings
from tuneprobe.studies.change.study import change_rows, read_problem, way_rows


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Compare ENCODER before and after tuning on TASK, the name of a folder of examples."""
    params = load_params()
    thread_limit(params.threads)
    read, found = params.finetune, params.evaluate
    settings = params.change.model_dump(exclude={"tasks", "seeds", "erase", "dynamics", "patch"})
    sizes = {name: settings.pop(name) for name in ("max_questions", "max_texts")}
    shared: dict[str, Any] = {"task": task, "seed": seed}
    checkpoint = paths.checkpoint(encoder, task, FINETUNED, seed)
    before, after = (
        load_encoder(
            encoder, **params.encoder_settings(encoder), state=state, checkpoint=checkpoint
        )
        for state in (PRETRAINED, FINETUNED)
    )
    reading = ReaderSettings(
        read.window, read.stride, read.max_question, found.top_k, found.max_answer
    )
    problem = read_problem(after, checkpoint, paths.examples(task), reading, **sizes, **shared)
    rows = change_rows(
        before,
        after,
        problem,
        erase_draws=params.change.erase.draws if task in params.change.erase.tasks else None,
        **settings,
        **shared,
        **params.intervals.model_dump(),
    )
    rows += way_rows(checkpoint)
    with atomic_folder(paths.results(encoder, task, STUDY, seed)) as made:
        level = params.intervals.confidence
        stamped = stamp(rows, study=STUDY, encoder=encoder, level=level, **shared)
        write_results(stamped, made / "layers.csv")


if __name__ == "__main__":
    run(main)
