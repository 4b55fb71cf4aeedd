"""States of one model put into the other at the words of the pairs, and what that changes."""

from typing import Any

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import stamp, write_results
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.studies.change.patching.study import STAGE, patch_rows
from tuneprobe.studies.change.restore.layers import Pair
from tuneprobe.studies.change.restore.outcomes import STUDY


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Patch ENCODER before and after tuning to read TASK, at the words of its pairs."""
    params = load_params()
    thread_limit(params.threads)
    checkpoint = paths.checkpoint(encoder, paths.questions(task), FINETUNED, seed)
    before, after = (
        load_encoder(
            encoder, **params.encoder_settings(encoder), state=state, checkpoint=checkpoint
        )
        for state in (PRETRAINED, FINETUNED)
    )
    shared: dict[str, Any] = {"task": paths.pairs(task), "seed": seed}
    rows = patch_rows(
        Pair(before.model, after.model),
        after,
        read_examples(paths.examples(paths.pairs(task))),
        layout=params.represent.layout,
        tokens_per_batch=params.change.tokens_per_batch,
        **params.change.patch.model_dump(),
        **params.intervals.model_dump(),
        **shared,
    )
    with atomic_folder(paths.results(encoder, paths.pairs(task), STAGE, seed)) as made:
        level = params.intervals.confidence
        stamped = stamp(rows, study=STUDY, encoder=encoder, level=level, **shared)
        write_results(stamped, made / "layers.csv")


if __name__ == "__main__":
    run(main)
