"""Score and loss on the line between the weights of two tunings, the first seed's and another's."""

from typing import Any

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.formats.results import stamp, write_results
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import FINETUNED
from tuneprobe.studies.change.restore.outcomes import STUDY, ReaderSettings
from tuneprobe.studies.change.seeds.study import STAGE, seed_rows
from tuneprobe.studies.change.study import read_problem
from tuneprobe.tuning.checkpoints import read_head


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Go from ENCODER tuned on TASK under the first seed to the same tuned under SEED."""
    params = load_params()
    thread_limit(params.threads)
    read, found = params.finetune, params.evaluate
    shared: dict[str, Any] = {"task": task, "seed": seed}
    ends = [paths.checkpoint(encoder, task, FINETUNED, one) for one in (params.run.seeds[0], seed)]
    first, other = (
        load_encoder(encoder, **params.encoder_settings(encoder), state=FINETUNED, checkpoint=end)
        for end in ends
    )
    reading = ReaderSettings(
        read.window, read.stride, read.max_question, found.top_k, found.max_answer
    )
    problem = read_problem(
        other,
        ends[1],
        paths.examples(task),
        reading,
        max_questions=params.change.max_questions,
        max_texts=params.change.max_texts,
        **shared,
    )
    rows = seed_rows(
        first,
        other,
        read_head(ends[0], first),
        problem,
        shares=params.change.path.shares,
        tokens_per_batch=params.change.tokens_per_batch,
        **shared,
        **params.intervals.model_dump(),
    )
    with atomic_folder(paths.results(encoder, task, STAGE, seed)) as made:
        level = params.intervals.confidence
        stamped = stamp(rows, study=STUDY, encoder=encoder, level=level, **shared)
        write_results(stamped, made / "path.csv")


if __name__ == "__main__":
    run(main)
