"""What tuning changed, where, and whether it matters: layers put back, weights, erasure."""

from typing import Any

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.examples.qa import read_questions
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import stamp, write_results
from tuneprobe.params import load_params
from tuneprobe.rng import rng
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.studies.change.difference.pieces import PieceSample
from tuneprobe.studies.change.difference.study import difference_rows, layer_differences
from tuneprobe.studies.change.erasure.study import erasure_rows
from tuneprobe.studies.change.restore.layers import Pair, mixtures, part_of
from tuneprobe.studies.change.restore.outcomes import (
    STUDY,
    LabelProblem,
    ReaderSettings,
    head_rows,
    label_problem,
    reader_problem,
    run_mixtures,
)
from tuneprobe.studies.change.restore.study import matters_rows, restore_rows
from tuneprobe.studies.change.weights.study import layer_changes, matrices, weight_rows
from tuneprobe.tuning.checkpoints import read_head
from tuneprobe.tuning.heads import LabelHead, QAHead
from tuneprobe.tuning.labelling import load_label_head


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Compare ENCODER before and after tuning on TASK, the name of a folder of examples."""
    params = load_params()
    thread_limit(params.threads)
    settings, read = params.change, params.finetune
    folder = paths.checkpoint(encoder, task, FINETUNED, seed)
    before, after = (
        load_encoder(encoder, **params.encoder_source(encoder), state=state, checkpoint=folder)
        for state in (PRETRAINED, FINETUNED)
    )
    head = read_head(folder, after)
    shared: dict[str, Any] = {"task": task, "seed": seed}
    if isinstance(head, QAHead):
        problem: Any = reader_problem(
            after,
            head,
            read_questions(paths.examples(task), "test"),
            ReaderSettings(
                read.window,
                read.stride,
                read.max_question,
                params.evaluate.top_k,
                params.evaluate.max_answer,
            ),
            max_questions=settings.max_questions,
            **shared,
        )
    else:
        assert isinstance(head, LabelHead)
        examples = read_examples(paths.examples(task))
        labels = load_label_head(folder)[1]
        problem = label_problem(
            after, head, labels, examples, max_texts=settings.max_texts, **shared
        )
    pair = Pair(before.model, after.model)
    wanted = mixtures(pair.n_layers)
    draws = rng(seed, "change", "pieces", task)
    pieces = PieceSample(problem.data.lengths, problem.text, settings.max_vectors, draws)
    outcomes = run_mixtures(
        pair,
        problem,
        after,
        wanted,
        tokens_per_batch=settings.tokens_per_batch,
        observe=pieces.observe,
    )
    intervals = params.intervals.model_dump()
    confidence = params.intervals.confidence
    differences = difference_rows(
        pieces.before,
        pieces.after,
        pieces.texts,
        head_rows(head),
        neighbours=settings.neighbours,
        axes=settings.axes,
        confidence=confidence,
        **shared,
    )
    weights = weight_rows(
        matrices(before.model, after.model),
        part_of,
        confidence=confidence,
        seed=seed,
        **settings.weights.model_dump(),
    )
    rows = [*restore_rows(outcomes, wanted, **shared, **intervals), *differences, *weights]
    changes = {
        "vectors_matter": layer_differences(differences, pair.n_layers),
        "weights_matter": layer_changes(weights, pair.n_layers),
    }
    rows += matters_rows(outcomes, wanted, changes, **shared, **intervals)
    if task in settings.erase.tasks and isinstance(problem, LabelProblem):
        rows += erasure_rows(
            pair,
            after,
            problem.head,
            examples,
            problem.data,
            problem.gold,
            draws=settings.erase.draws,
            tokens_per_batch=settings.tokens_per_batch,
            **shared,
            **intervals,
        )
    with atomic_folder(paths.results(encoder, task, STUDY, seed)) as made:
        stamped = stamp(rows, study=STUDY, encoder=encoder, level=confidence, **shared)
        write_results(stamped, made / "layers.csv")


if __name__ == "__main__":
    run(main)
