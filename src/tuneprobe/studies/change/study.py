"""What tuning changed in one encoder on one task: layers put back, vectors, weights, erasure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneprobe.artifacts import read_meta
from tuneprobe.encoders.encoder import Encoder
from tuneprobe.examples.qa import read_questions
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import Result
from tuneprobe.rng import rng
from tuneprobe.states import FINETUNED
from tuneprobe.studies.change.difference.pieces import PieceSample
from tuneprobe.studies.change.difference.study import difference_rows, layer_differences
from tuneprobe.studies.change.erasure.study import erasure_rows
from tuneprobe.studies.change.restore.layers import Pair, mixtures, part_of
from tuneprobe.studies.change.restore.outcomes import (
    LabelProblem,
    ReaderProblem,
    ReaderSettings,
    head_rows,
    label_problem,
    reader_problem,
    run_mixtures,
)
from tuneprobe.studies.change.restore.path import path_outcomes, path_rows
from tuneprobe.studies.change.restore.study import matters_rows, restore_rows
from tuneprobe.studies.change.weights.study import layer_changes, matrices, weight_rows
from tuneprobe.tuning.checkpoints import read_head
from tuneprobe.tuning.heads import LabelHead, QAHead
from tuneprobe.tuning.labelling import load_label_head
from tuneprobe.tuning.ways import LORA


def read_problem(
    tuned: Encoder,
    checkpoint: Path,
    examples: Path,
    reading: ReaderSettings,
    *,
    task: str,
    max_questions: int,
    max_texts: int,
    seed: int,
) -> ReaderProblem | LabelProblem:
    """The task that a checkpoint was tuned on, with its head: questions, or labelled texts.

    Parameters
    ----------
    checkpoint, examples : Path
        Folders, as `write_checkpoint` and `write_examples` make them.
    max_questions, max_texts : int
        Of the test split, drawn under `seed`.

    Raises
    ------
    ArtifactError
        If a folder is missing or damaged, or the head is of other encoder weights.
    """
    head = read_head(checkpoint, tuned)
    shared: dict[str, Any] = {"task": task, "seed": seed}
    if isinstance(head, QAHead):
        asked = read_questions(examples, "test")
        return reader_problem(tuned, head, asked, reading, max_questions=max_questions, **shared)
    assert isinstance(head, LabelHead)
    labels = load_label_head(checkpoint)[1]
    found = read_examples(examples)
    return label_problem(tuned, head, labels, found, max_texts=max_texts, **shared)


def way_rows(checkpoint: Path) -> list[Result]:
    """The rank of the LoRA that a checkpoint was tuned by; nothing where it was tuned otherwise."""
    settings = read_meta(checkpoint)["settings"]
    if settings.get("way") != LORA:
        return []
    return [Result("lora_rank", float(settings["rank"]), state=FINETUNED)]


def change_rows(
    before: Encoder,
    after: Encoder,
    problem: ReaderProblem | LabelProblem,
    *,
    task: str,
    max_vectors: int,
    neighbours: int,
    axes: int,
    weights: Mapping[str, Any],
    path: Mapping[str, Sequence[float]],
    erase_draws: int | None,
    tokens_per_batch: int | None,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> list[Result]:
    """Result rows of `restore_rows`, `difference_rows`, `weight_rows`, `matters_rows`, `path_rows`,
    erasure.

    Parameters
    ----------
    before, after : Encoder
        Of one architecture; the head of `problem` is that of `after`.
    max_vectors : int
        Word pieces whose vectors are compared.
    neighbours, axes : int
        As `difference_rows` has them.
    weights : mapping
        ``directions`` and ``cosine`` of `weight_rows`.
    path : mapping
        ``shares`` of `path_outcomes`.
    erase_draws : int, optional
        Random controls of `erasure_rows`; none: nothing is erased, as never for a reader.
    tokens_per_batch : int, optional
        By default what suits the encoder; no number depends on it but for rounding.
    """
    shared: dict[str, Any] = {"task": task, "seed": seed}
    intervals: dict[str, Any] = {"confidence": confidence, "bootstrap": bootstrap}
    pair = Pair(before.model, after.model)
    wanted = mixtures(pair.n_layers)
    draws = rng(seed, "change", "pieces", task)
    pieces = PieceSample(problem.data.lengths, problem.text, max_vectors, draws)
    outcomes = run_mixtures(
        pair, problem, after, wanted, tokens_per_batch=tokens_per_batch, observe=pieces.observe
    )
    differences = difference_rows(
        pieces.before,
        pieces.after,
        pieces.texts,
        head_rows(problem.head),
        neighbours=neighbours,
        axes=axes,
        confidence=confidence,
        **shared,
    )
    moved = weight_rows(
        matrices(before.model, after.model), part_of, confidence=confidence, seed=seed, **weights
    )
    changes = {
        "vectors_matter": layer_differences(differences, pair.n_layers),
        "weights_matter": layer_changes(moved, pair.n_layers),
    }
    rows = [*restore_rows(outcomes, wanted, **shared, **intervals), *differences, *moved]
    rows += matters_rows(outcomes, wanted, changes, **shared, **intervals)
    shares = path["shares"]
    between = path_outcomes(pair, problem, after, shares, tokens_per_batch=tokens_per_batch)
    rows += path_rows(outcomes, between, shares, **shared, **intervals)
    if erase_draws is not None and isinstance(problem, LabelProblem):
        rows += erasure_rows(
            pair,
            after,
            problem.head,
            problem.examples,
            problem.data,
            problem.gold,
            draws=erase_draws,
            tokens_per_batch=tokens_per_batch,
            **shared,
            **intervals,
        )
    return rows
