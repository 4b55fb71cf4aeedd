"""What mixtures of two models answer under the tuned head, and how good that is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.forward import TokenBudget, encoding_tokens
from tuneprobe.errors import TuneprobeError
from tuneprobe.examples.qa import drawn_questions
from tuneprobe.formats.examples import Examples
from tuneprobe.formats.question import Question
from tuneprobe.rng import rng
from tuneprobe.scores.decode import SPAN, best_readings, best_spans
from tuneprobe.scores.evaluate import short_texts, words_of_pieces
from tuneprobe.scores.glue_metrics import FUNCTIONS, bootstrap_weights, metrics_of
from tuneprobe.scores.label_scores import gold_answers, to_answers
from tuneprobe.scores.squad_eval import token_f1
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.stats import Interval, bootstrap_bounds
from tuneprobe.studies.change.restore.layers import Mixture, Pair
from tuneprobe.tuning.heads import INPUTS, Batch, Head, LabelHead, QAHead
from tuneprobe.tuning.labelled_texts import LabelledTexts, labelled_texts
from tuneprobe.tuning.windows import TARGETS, Windows, cut_windows

STUDY = "change"
NO_TARGET = -100  # a label that the head cannot answer: left out of the loss by torch
TOKEN_F1 = "token_f1"
ROUNDING = 1e-9  # percent: scores that differ by less are one number
INTACT = (FINETUNED, PRETRAINED)  # the first two of all outcomes

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Values = NDArray[Any]
Known = Mapping[str, tuple[Sequence[Tensor], Tensor]]
Observe = Callable[[Rows, Batch, Known], None]


class RestoreError(TuneprobeError):
    """Examples that nothing can be scored on."""


@dataclass(frozen=True)
class Outcomes:
    """Answers and losses of several models on the same examples.

    Attributes
    ----------
    metric : str
        A name of `glue_metrics.FUNCTIONS`, or ``token_f1``, whose answers are F1 of questions.
    gold : array of shape (n_examples,)
    answers : sequence of arrays of shape (n_examples,)
        One of each model.
    losses : float64 ndarray of shape (n_models, n_examples)
        Of the tuned head, in nats; squared errors of a score.
    text : int64 ndarray of shape (n_examples,)
        Number of the text of each example: texts are what is resampled.
    """

    metric: str
    gold: Values
    answers: Sequence[Values]
    losses: Floats
    text: Rows

    @property
    def n_texts(self) -> int:
        """Number of texts."""
        return int(self.text.max()) + 1

    def samples(self, n_bootstrap: int, draws: np.random.Generator) -> tuple[Floats, Floats]:
        """Scores (percent) and mean losses of bootstrap samples of the texts.

        Returns
        -------
        Two float64 ndarrays of shape (n_bootstrap, n_models).
        """
        parts = [
            (self._scores(of_texts[:, self.text]), self._mean_losses(of_texts))
            for of_texts in bootstrap_weights(self.n_texts, n_bootstrap, draws)
        ]
        scores, losses = (np.concatenate(some) for some in zip(*parts, strict=True))
        return scores, losses

    @cached_property
    def values(self) -> tuple[Floats, Floats]:
        """Score (percent) and mean loss of each model, shape (n_models,) each."""
        scores = self._scores(np.ones((1, len(self.text))))
        return scores[0], self._mean_losses(np.ones((1, self.n_texts)))[0]

    def _scores(self, weights: Floats) -> Floats:
        if self.metric == TOKEN_F1:
            shares: Floats = weights @ np.stack(self.answers).T / weights.sum(axis=1)[:, None]
            return 100 * shares
        compute = FUNCTIONS[self.metric]
        return 100 * np.stack([compute(self.gold, one, weights) for one in self.answers], axis=1)

    def _mean_losses(self, weights: Floats) -> Floats:
        """Of samples that hold a text so and so often, (n_samples, n_texts)."""
        sums = np.zeros((self.n_texts, len(self.losses)))
        np.add.at(sums, self.text, self.losses.T)
        counts = np.bincount(self.text).astype(np.float64)
        mean: Floats = weights @ sums / (weights @ counts)[:, None]
        return mean


def sample_bounds(
    samples: Floats, which: int, n: int, *, confidence: float, least: float = 0.0
) -> tuple[Floats, Floats]:
    """Percentiles of samples (n_bootstrap, n_columns) of scores in percent, or losses, of n texts.

    Where all samples of a score are one number c, none can tell how rare something else is. With u
    the exact upper bound of a share of which none was seen among the texts (Clopper & Pearson
    1934), and any score on that share, they are ``c - u (c - least)`` and ``c + u (100 - c)``. The
    answers of two models may differ all the same: both may be wrong.

    Parameters
    ----------
    which : int
        0: of scores, or of their changes; 1: of losses.
    least : float
        The lowest score: -100 of a change.
    """
    low, high = bootstrap_bounds(samples, n, confidence=confidence)
    unseen, value = 1 - ((1 - confidence) / 2) ** (1 / n), samples[0]
    alike = (np.ptp(samples, axis=0) < ROUNDING) & np.isfinite(low) & (which == 0)
    low = np.where(alike, value - unseen * (value - least), low)
    return low, np.where(alike, value + unseen * (100 - value), high)


def change_interval(
    outcomes: Outcomes,
    samples: tuple[Floats, Floats],
    which: int,
    pairs: Sequence[tuple[int, int]],
    confidence: float,
) -> Interval:
    """Paired differences of models, ``values[one] - values[other]``, of shape (n_pairs,).

    Bounds are those of `sample_bounds`, a change of a score lying between -100 and 100.

    Parameters
    ----------
    samples : pair of arrays of shape (n_bootstrap, n_models)
        As `Outcomes.samples` gives them.
    which : int
        0: of the scores; 1: of the losses.
    """
    one, other = np.array(pairs).reshape(-1, 2).T
    values, drawn, n = outcomes.values[which], samples[which], outcomes.n_texts
    changes = drawn[:, one] - drawn[:, other]
    low, high = sample_bounds(changes, which, n, confidence=confidence, least=-100.0)
    return Interval(values[one] - values[other], low, high)


class Inputs(Protocol):
    """Inputs as a training set has them."""

    @property
    def lengths(self) -> Rows: ...

    def batch(self, rows: Rows) -> Batch: ...


class Problem(Protocol):
    """A tuned task: its inputs, and how the last layer of some of them is judged."""

    @property
    def data(self) -> Inputs: ...

    @property
    def text(self) -> Rows:
        """Number of the text of each input."""
        ...

    def judge(self, rows: Rows, batch: Batch, hidden: Tensor) -> tuple[Values, Values]:
        """Answers and losses of what is in some inputs."""
        ...

    def outcomes(self, judged: Sequence[tuple[Rows, Sequence[tuple[Values, Values]]]]) -> Outcomes:
        """All batches together: the rows of each, and what each model said of them."""
        ...


def run_mixtures(
    pair: Pair,
    problem: Problem,
    encoder: Encoder,
    wanted: Sequence[Mixture],
    *,
    tokens_per_batch: int | None,
    observe: Observe,
) -> Outcomes:
    """Outcomes of the tuned model, of the pre-trained one under the tuned head, and of mixtures.

    Parameters
    ----------
    observe : callable
        Gets rows, batch and all layers of both models, of every batch.
    """

    def work(rows: Rows) -> tuple[list[tuple[Values, Values]], Batch, Known]:
        batch = problem.data.batch(rows)
        inputs = {name: batch[name] for name in INPUTS if name in batch}
        known = {state: pair.hidden(state, inputs) for state in INTACT}
        found = [problem.judge(rows, batch, known[state][1]) for state in INTACT]
        for last in pair.passes(inputs, known, wanted):
            found.append(problem.judge(rows, batch, last))
        return found, batch, known

    judged = []
    budget = TokenBudget(tokens_per_batch or encoding_tokens(encoder))
    with torch.inference_mode():
        for rows, (found, batch, known) in budget.passes(problem.data.lengths, work):
            observe(rows, batch, known)
            judged.append((rows, found))
    return problem.outcomes(judged)


@dataclass(frozen=True)
class LabelProblem:
    """Labels or scores of the spans of texts; `examples` are those of all splits."""

    head: LabelHead
    labels: list[str] | None
    examples: Examples
    data: LabelledTexts
    gold: Values
    metric: str

    @property
    def text(self) -> Rows:
        """One input is one text."""
        return np.arange(len(self.data.pieces))

    def judge(self, rows: Rows, batch: Batch, hidden: Tensor) -> tuple[Values, Values]:
        """Of each example: the answer, and the loss under its target."""
        logits = self.head.logits(self.head.read(hidden, batch))
        if self.labels is None:
            losses = mse_loss(logits.squeeze(1), batch["target"], reduction="none")
        else:
            losses = cross_entropy(logits, batch["target"], reduction="none")
        return to_answers(logits.cpu().numpy(), self.labels), losses.double().cpu().numpy()

    def outcomes(self, judged: Sequence[tuple[Rows, Sequence[tuple[Values, Values]]]]) -> Outcomes:
        """In the order of the examples."""
        n_models, n = len(judged[0][1]), len(self.gold)
        answers = [np.empty(n, dtype=self.gold.dtype) for _ in range(n_models)]
        losses, text = np.empty((n_models, n)), np.empty(n, dtype=np.int64)
        for rows, found in judged:
            examples = self.data.examples_of(rows)
            text[examples] = np.repeat(rows, [len(self.data.rows[row]) for row in rows])
            for model, (said, lost) in enumerate(found):
                answers[model][examples], losses[model, examples] = said, lost
        return Outcomes(self.metric, self.gold, answers, losses, text)


@dataclass(frozen=True)
class ReaderProblem:
    """Questions with a short answer, read in windows; the score is the F1 of the best span."""

    head: QAHead
    questions: Sequence[Question]
    data: Windows
    top_k: int
    max_answer: int

    @property
    def text(self) -> Rows:
        """The question of each window."""
        return np.array([one.item for one in self.data.windows])

    def judge(self, rows: Rows, batch: Batch, hidden: Tensor) -> tuple[Values, Values]:
        """Of each window: the best span, and the mean loss of start, end and type."""
        logits = self.head(hidden, batch)
        losses = sum(cross_entropy(logits[t], batch[t], reduction="none") for t in TARGETS)
        spans = best_spans(
            **{name: one.cpu().numpy() for name, one in logits.items()},
            words=words_of_pieces([self.data.windows[row] for row in rows]),
            top_k=self.top_k,
            max_answer=self.max_answer,
        )
        assert isinstance(losses, Tensor)
        return spans, (losses / len(TARGETS)).double().cpu().numpy()

    def outcomes(self, judged: Sequence[tuple[Rows, Sequence[tuple[Values, Values]]]]) -> Outcomes:
        """F1 of each question, and the mean loss of its windows."""
        items, n, n_models = self.text, len(self.questions), len(judged[0][1])
        answers, losses = [], np.empty((n_models, n))
        for model in range(n_models):
            spans, lost = np.zeros(len(items), dtype=SPAN), np.empty(len(items))
            for rows, found in judged:
                spans[rows], lost[rows] = found[model]
            readings = zip(self.questions, best_readings(items, spans, n), strict=True)
            said = [
                token_f1(" ".join(one.document[read.start : read.end]), short_texts(one))
                for one, read in readings
            ]
            answers.append(np.array(said))
            losses[model] = np.bincount(items, lost) / np.bincount(items)
        return Outcomes(TOKEN_F1, np.ones(n), answers, losses, np.arange(n))


def label_problem(
    encoder: Encoder,
    head: LabelHead,
    labels: list[str] | None,
    examples: Examples,
    *,
    task: str,
    max_texts: int,
    seed: int,
) -> LabelProblem:
    """The test examples of at most `max_texts` texts, drawn under `seed`."""
    kind = "score" if labels is None else "label"
    chosen = sampled_texts(examples, "test", max_texts, rng(seed, "change", "texts", task))
    gold = gold_answers(chosen, kind).to_numpy()
    if labels is None:
        targets: Any = gold.astype(np.float32)
    else:
        number = {label: place for place, label in enumerate(labels)}
        targets = np.array([number.get(label, NO_TARGET) for label in gold], dtype=np.int64)
    data = labelled_texts(encoder, chosen, "test", targets)
    return LabelProblem(head, labels, examples, data, gold, metrics_of(task, kind)[0])


def sampled_texts(
    examples: Examples, split: str, max_texts: int, draws: np.random.Generator
) -> Examples:
    """The examples of a split in at most so many texts; texts and spans keep their numbers."""
    table = examples.examples[examples.examples.split == split]
    text = examples.spans.text.to_numpy()[table.span1]
    texts = np.unique(text)
    if len(texts) > max_texts:
        texts = draws.choice(texts, size=max_texts, replace=False)
    return replace(examples, examples=table[np.isin(text, texts)])


class ReaderSettings(NamedTuple):
    """How a reader's documents are cut and its answers chosen, as in its evaluation."""

    window: int
    stride: int
    max_question: int
    top_k: int
    max_answer: int


def reader_problem(
    encoder: Encoder,
    head: QAHead,
    questions: Iterator[Question],
    settings: ReaderSettings,
    *,
    task: str,
    max_questions: int,
    seed: int,
) -> ReaderProblem:
    """At most `max_questions` questions that have a short answer, drawn under `seed` by their ids.

    No more than these are held in memory.

    Raises
    ------
    RestoreError
        If no question has one.
    """
    answered = (question for question in questions if short_texts(question))
    chosen = list(drawn_questions(answered, max_questions, seed, "change", "texts", task))
    if not chosen:
        raise RestoreError(
            f"no test question of {task} has a short answer: there is no F1 of words to compare; "
            "take it out of change.tasks."
        )
    sizes = settings._asdict()
    decoding = {name: sizes.pop(name) for name in ("top_k", "max_answer")}
    cut = cut_windows(encoder, chosen, **sizes)
    return ReaderProblem(head, chosen, Windows(encoder, [w for ws in cut for w in ws]), **decoding)


def head_rows(head: Head) -> NDArray[np.float32]:
    """Rows that a head reads off a vector, shape (n, dim): of two spans each half by itself."""
    weights = [module.weight for module in head.modules() if isinstance(module, torch.nn.Linear)]
    dim = min(weight.shape[1] for weight in weights)
    n_spans = head.n_spans if isinstance(head, LabelHead) else 1
    rows = [weight.detach().reshape(-1, dim // n_spans).cpu().numpy() for weight in weights]
    return np.concatenate(rows)
