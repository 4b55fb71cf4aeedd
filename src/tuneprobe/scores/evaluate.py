"""Evaluation of a reader: official NQ scores of long and short answers, exact match and F1."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from tuneprobe.encoders.encoder import Encoder, load_encoder
from tuneprobe.encoders.forward import TokenBudget, encoding_tokens
from tuneprobe.formats.question import Question
from tuneprobe.formats.results import OVER_BASELINE, Result, stamp
from tuneprobe.rng import rng
from tuneprobe.scores.decode import NO_WORD, SPAN, Reading, best_readings, best_spans, to_prediction
from tuneprobe.scores.lexical import has_choice, read_lexically
from tuneprobe.scores.nq_eval import (
    Answer,
    EvaluationError,
    Judgement,
    Score,
    best_f1,
    best_f1_samples,
    judge_long,
    judge_short,
)
from tuneprobe.scores.squad_eval import exact_match, token_f1
from tuneprobe.states import FINETUNED, FROZEN, NO_ENCODER, PRETRAINED, Member
from tuneprobe.stats import bootstrap_bounds, mean_interval
from tuneprobe.tuning.checkpoints import read_head
from tuneprobe.tuning.heads import Head, last_layer, make_head
from tuneprobe.tuning.windows import Window, Windows, cut_windows

TOGETHER = 256  # questions whose windows, or samples whose counts, are held at the same time

Floats = NDArray[np.float64]


def load_readers(
    name: str, *, measured: Iterable[Member], frozen: Path, finetuned: Path, **source: Any
) -> Iterator[tuple[Encoder, dict[str, Head]]]:
    """The encoders of all states, one at a time, each with the heads of the states it serves.

    ==========  ============================  =========================
    state       encoder                       head
    ==========  ============================  =========================
    random      weights drawn under its seed  drawn under the same seed
    pretrained  pre-trained                   drawn under its seed
    frozen      the same                      trained on that encoder
    finetuned   tuned                         tuned with it
    ==========  ============================  =========================

    Parameters
    ----------
    measured : iterable of Member
        Of the states random, pretrained and finetuned; heads are named as they are.
    frozen, finetuned : Path
        Checkpoints of the two states that have one.
    source : Any
        Where the encoder's files are, as for `load_encoder`.
    """
    for member, state, seed in measured:
        encoder = load_encoder(name, **source, state=state, seed=seed, checkpoint=finetuned)
        if state == FINETUNED:
            yield encoder, {member: read_head(finetuned, encoder)}
            continue
        heads: dict[str, Head] = {member: make_head("qa", encoder.dim, seed)}
        heads[member] = heads[member].to(encoder.device).eval()
        if state == PRETRAINED:
            heads[FROZEN] = read_head(frozen, encoder)
        yield encoder, heads


def evaluate_readers(
    readers: Iterable[tuple[Encoder, Mapping[str, Head]]],
    questions: Sequence[Question],
    *,
    task: str,
    seed: int,
    min_annotators: int,
    confidence: float,
    bootstrap: int,
    **reading: Any,
) -> list[Result]:
    """Result rows of all readers of an encoder on the questions whose split is ``test``.

    ``long_*`` and ``short_*`` (precision, recall, f1) at the best threshold, over all questions;
    ``exact_match`` and ``f1`` of the span's words, over questions with a short answer. In percent,
    with bootstrap intervals over questions. The same of the readers without an encoder
    (`tuneprobe.scores.lexical`), in the state ``no-encoder``, with the reader as classifier. Then
    ``over_baseline``: the tuned reader minus each of them, and minus the head on the frozen
    encoder, in points of the F1 that ``score`` names, paired over the questions.

    Parameters
    ----------
    readers : iterable of (Encoder, mapping of str to Head)
        Encoders with their heads, by state, as `load_readers` gives them.
    confidence, bootstrap : float, int
        Level of the intervals and number of bootstrap samples.
    reading : Any
        Passed on to `read_answers`.
    """
    asked = [question for question in questions if question.split == "test"]
    if not asked:
        raise EvaluationError(
            f"none of the {len(questions)} questions of {task} is a test question."
        )
    readings: dict[str, Sequence[Reading]] = {}
    name = ""
    for encoder, heads in readers:
        name = encoder.name
        found = read_answers(encoder, list(heads.values()), asked, **reading)
        readings |= dict(zip(heads, found, strict=True))
    lexical = [read_lexically(question) for question in asked]
    baselines = {name: [one[name] for one in lexical] for name in lexical[0]}
    rows: list[Result] = []
    samples: dict[str, F1Samples] = {}
    for state, its_readings in [*readings.items(), *baselines.items()]:
        samples[state] = f1_samples(
            asked, its_readings, min_annotators=min_annotators, seed=seed, bootstrap=bootstrap
        )
        manner: dict[str, Any] = {"confidence": confidence, "bootstrap": bootstrap}
        scored = [
            *_nq_rows(samples[state], confidence),
            *squad_scores(asked, its_readings, seed=seed, **manner),
        ]
        if state in baselines:
            rows += [row._replace(state=NO_ENCODER, classifier=state) for row in scored]
        else:
            rows += [row._replace(state=state) for row in scored]
    if FINETUNED in samples:
        against = [one for one in (*baselines, FROZEN) if one in samples]
        rows += _over_baselines(samples, against, has_choice(asked), confidence)
    return stamp(rows, study="evaluate", encoder=name, task=task, seed=seed, level=confidence)


def read_answers(
    encoder: Encoder,
    heads: Sequence[Head],
    questions: Sequence[Question],
    *,
    window: int,
    stride: int,
    max_question: int,
    top_k: int,
    max_answer: int,
    tokens_per_batch: int | None = None,
) -> list[list[Reading]]:
    """What each head answers to each question, shape (n_heads, n_questions); encoded once.

    All windows are read, in order of length under a token budget; the windows of some 256
    questions are held at a time, so memory is bounded whatever the corpus.

    Parameters
    ----------
    tokens_per_batch : int, optional
        None: `encoding_tokens`.
    """
    readings: list[list[Reading]] = [[] for _ in heads]
    budget = TokenBudget(tokens_per_batch or encoding_tokens(encoder))
    for first in tqdm(range(0, len(questions), TOGETHER), desc="read", disable=None):
        part = questions[first : first + TOGETHER]
        cut = cut_windows(encoder, part, window=window, stride=stride, max_question=max_question)
        windows = Windows(encoder, [one for its_windows in cut for one in its_windows])
        best = np.zeros((len(heads), len(windows.windows)), dtype=SPAN)

        def read(rows: NDArray[np.int64], windows: Windows = windows) -> list[dict[str, Floats]]:
            return _logits(encoder, heads, windows.batch(rows))

        for rows, logits in budget.passes(windows.lengths, read):
            words = words_of_pieces([windows.windows[row] for row in rows])
            for number, its_logits in enumerate(logits):
                best[number, rows] = best_spans(
                    **its_logits, words=words, top_k=top_k, max_answer=max_answer
                )
        items = np.array([one.item for one in windows.windows])
        for its_readings, its_best in zip(readings, best, strict=True):
            its_readings += best_readings(items, its_best, len(part))
    return readings


def words_of_pieces(windows: Sequence[Window]) -> NDArray[np.int64]:
    """The document word of each piece, shape (n_windows, seq); -1 outside the document."""
    words = np.full((len(windows), max(map(len, windows))), NO_WORD)
    for row, window in enumerate(windows):
        words[row, window.offset : window.offset + len(window.words)] = window.words
    return words


class F1Samples(NamedTuple):
    """F1 of long and short answers: value and bootstrap samples, by answer.

    ``scores`` are precision, recall, F1 and threshold; ``samples`` has shape (n_bootstrap, 3).
    All readers of the same questions are scored on the same samples.
    """

    n: int
    scores: dict[str, Score]
    samples: dict[str, Floats]


def nq_scores(
    questions: Sequence[Question],
    readings: Sequence[Reading],
    *,
    min_annotators: int,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> list[Result]:
    """Precision, recall and F1 of long and short answers at the threshold of the best F1.

    The intervals choose the threshold anew in each bootstrap sample.
    """
    manner: dict[str, Any] = {"min_annotators": min_annotators, "seed": seed}
    return _nq_rows(f1_samples(questions, readings, **manner, bootstrap=bootstrap), confidence)


def f1_samples(
    questions: Sequence[Question],
    readings: Sequence[Reading],
    *,
    min_annotators: int,
    seed: int,
    bootstrap: int,
) -> F1Samples:
    """What `nq_scores` and the gaps between readers are computed from."""
    found, samples = {}, {}
    for answer, judge in (("long", judge_long), ("short", judge_short)):
        judgements, scores = [], []
        for question, reading in zip(questions, readings, strict=True):
            prediction = to_prediction(reading, question.candidates)
            gold = gold_answers(question)
            judgements.append(judge(gold, prediction, min_annotators=min_annotators))
            scores.append(reading.score)
        found[answer] = best_f1(judgements, scores)
        stream = rng(seed, "bootstrap", "evaluate", answer)
        samples[answer] = _best_f1_samples(judgements, scores, bootstrap, stream)
    return F1Samples(len(questions), found, samples)


def _nq_rows(found: F1Samples, confidence: float) -> list[Result]:
    rows = []
    for answer, score in found.scores.items():
        low, high = _percentiles(found.samples[answer], confidence)
        for number, metric in enumerate(("precision", "recall", "f1")):
            bounds = float(low[number]), float(high[number])
            what = (f"{answer}_{metric}", score[number], *bounds, found.n)
            rows.append(Result(*what, threshold="best"))
    return rows


def _over_baselines(
    samples: Mapping[str, F1Samples],
    baselines: Iterable[str],
    with_long: bool,
    confidence: float,
) -> Iterator[Result]:
    """The tuned reader minus each baseline; of long answers only where there is a choice."""
    tuned = samples[FINETUNED]
    for answer in tuned.scores:
        if answer == "long" and not with_long:
            continue
        for baseline in baselines:
            other = samples[baseline]
            gap = tuned.scores[answer].f1 - other.scores[answer].f1
            drawn = tuned.samples[answer][:, 2:] - other.samples[answer][:, 2:]
            (low,), (high,) = bootstrap_bounds(drawn, tuned.n, confidence=confidence)
            numbers = (gap, float(low), float(high), tuned.n)
            what: dict[str, Any] = {"state": FINETUNED, "against": baseline}
            what["score"] = f"{answer}_f1"
            yield Result(OVER_BASELINE, *numbers, **what)


def squad_scores(
    questions: Sequence[Question],
    readings: Sequence[Reading],
    *,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> list[Result]:
    """Exact match and F1 of the answer's words, over the questions with a short answer.

    The gold text of an annotator is the words of all the short spans; the best annotator counts.
    """
    outcomes = []
    for question, reading in zip(questions, readings, strict=True):
        gold = short_texts(question)
        if gold:
            text = " ".join(question.document[reading.start : reading.end])
            outcomes.append((exact_match(text, gold), token_f1(text, gold)))
    if not outcomes:
        return []
    bounds = mean_interval(
        100.0 * np.array(outcomes),
        confidence=confidence,
        n_bootstrap=bootstrap,
        rng=rng(seed, "bootstrap", "evaluate", "squad"),
    )
    numbers = np.array(bounds).T.tolist()  # (metrics, 3): value, low, high
    return [
        Result(metric, value, low, high, len(outcomes), readout="span")
        for metric, (value, low, high) in zip(("exact_match", "f1"), numbers, strict=True)
    ]


def gold_answers(question: Question) -> list[Answer]:
    """The annotators' answers; a long one is the number of its candidate."""
    return [
        Answer(
            None if annotation.long < 0 else annotation.long,
            frozenset(annotation.shorts),
            annotation.yes_no,
        )
        for annotation in question.annotations
    ]


def short_texts(question: Question) -> list[str]:
    """The short answer of each annotator that has one, words joined by blanks."""
    return [
        " ".join(word for start, end in annotation.shorts for word in question.document[start:end])
        for annotation in question.annotations
        if annotation.shorts
    ]


def _logits(
    encoder: Encoder, heads: Sequence[Head], batch: dict[str, Tensor]
) -> list[dict[str, Floats]]:
    """What each head gives for a batch."""
    with torch.inference_mode():
        hidden = last_layer(encoder, batch)
        logits = [head(hidden, batch) for head in heads]
    return [{name: tensor.cpu().numpy() for name, tensor in of.items()} for of in logits]


def _best_f1_samples(
    judgements: Sequence[Judgement],
    scores: Sequence[float],
    bootstrap: int,
    stream: np.random.Generator,
) -> Floats:
    """Precision, recall and F1 of bootstrap samples of the questions, shape (n_bootstrap, 3)."""
    n = len(scores)
    samples = np.empty((bootstrap, 3))
    for first in range(0, bootstrap, TOGETHER):
        part = samples[first : first + TOGETHER]
        drawn = stream.integers(n, size=(len(part), n)) + n * np.arange(len(part))[:, None]
        times = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        part[:] = best_f1_samples(judgements, scores, times)
    return samples


def _percentiles(samples: Floats, confidence: float) -> Floats:
    """Percentile bounds of each column, shape (2, n_columns)."""
    tail = (1 - confidence) / 2
    return np.quantile(samples, [tail, 1 - tail], axis=0)
