"""Pointwise V-information: how many bits of its label a vector gives to a classifier, by example.

``pvi = log2 q(y | h) - log2 g(y)``, with g the frequencies of the training labels (a predictor that
sees no vector) and q what the classifier probe says, but for a hundredth that it leaves to g:
``q = 0.99 p + 0.01 g``. So no example costs more than 6.7 bits, where a probe that is very sure and
wrong would outweigh all others. The mean is the V-information in bits (Xu et al. 2020, eq. 3;
Ethayarajh et al. 2022, eq. 4). Nothing is trained for it.

The control reads the type of the word alone: the training labels of its type, and one more label
that is split as g says. What a vector gives beyond it is not told by which word it is.

Examples whose label training lacks are left out: no predictor gives them a probability.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tuneprobe.formats.examples import NO_SPAN, Examples
from tuneprobe.formats.results import Result, stamp
from tuneprobe.rng import rng
from tuneprobe.states import NO_ENCODER
from tuneprobe.stats import crossed_interval

LEFT_TO_NULL = 0.01
PROBE = "mlp"  # whose labels and words are told apart
WORD_TYPE = "word-type"
LEAST_WORDS = 3  # occurrences of a word that is listed
LISTED = 20  # words with the largest gain, and as many with the smallest
EXAMPLE_WORDS = 8  # around a listed word
WORDS = ("word", "label", "n", "before", "after", "gain", "example")

Floats = NDArray[np.float64]


def information_rows(
    answers: pd.DataFrame,
    table: pd.DataFrame,
    *,
    after: str,
    before: str,
    encoder: str,
    task: str,
    seed: int,
    confidence: float,
    bootstrap: int,
) -> list[Result]:
    """Result rows in bits an example, means over the test examples and the initialisations.

    ===================  ==========  ==============================================================
    metric               state       value
    ===================  ==========  ==============================================================
    label_bits           no-encoder  what g alone costs: all that a vector can give
    v_information        each        by layer and classifier; ``no-encoder``: of the control
    v_beyond_type        each        the same minus the control's, where there are word types
    v_gain               after       the same, minus that before (``against``)
    v_gain, with labels  after       of the MLP in the last layer, by label
    ===================  ==========  ==============================================================

    Intervals are a bootstrap over texts and initialisations, of gains a paired one.

    Parameters
    ----------
    answers : DataFrame
        The table ``answers`` of `layer_accuracy`, as `units.measured` gives it.
    table : DataFrame
        Of `spaces.example_table`.
    """
    train, test = splits_of(table)
    null, by_type = null_probability(train, test), type_probability(train, test)
    known = null > 0
    bounds = partial(_interval, test.text, (confidence, bootstrap, seed))
    unread: dict[str, Any] = {"state": NO_ENCODER}
    rows = [bounds("label_bits", -np.log2(null[known])[:, None], known, **unread)]
    control = None
    if by_type is not None:
        control = np.log2(by_type[known] / null[known])[:, None]
        what = unread | {"classifier": WORD_TYPE}
        rows.append(bounds("v_information", control, known, **what))
    last = int(answers.layer.max())
    for (layer, classifier), of_layer in answers.groupby(["layer", "classifier"]):
        place: dict[str, Any] = {"layer": int(str(layer)), "classifier": str(classifier)}
        bits = {
            str(state): pointwise(_log_p(some)[known], null[known])
            for state, some in of_layer.groupby("state")
        }
        for state, found in bits.items():
            rows.append(bounds("v_information", found, known, state=state, **place))
            if control is not None:
                beyond = found - control
                rows.append(bounds("v_beyond_type", beyond, known, state=state, **place))
        if not {after, before} <= bits.keys():
            continue
        gain, of = bits[after] - bits[before], {"state": after, "against": before, **place}
        rows.append(bounds("v_gain", gain, known, **of))
        if layer == last and classifier == PROBE:
            for label, of_label in test[known].groupby("label").indices.items():
                chosen = np.flatnonzero(known)[of_label]
                rows.append(bounds("v_gain", gain[of_label], chosen, label=str(label), **of))
    keys: dict[str, Any] = {"encoder": encoder, "task": task, "seed": seed}
    return stamp(rows, study="classify", level=confidence, **keys)


def word_table(
    answers: pd.DataFrame, table: pd.DataFrame, examples: Examples, *, after: str, before: str
) -> pd.DataFrame:
    """Words whose labels gained and lost most bits in the last layer, with an example of each.

    Means over the occurrences of a word with a label among the test examples, and over the
    initialisations of the MLP; words with fewer than 3 occurrences are left out, and whole texts.
    Of a pair of words both are written, the one with the label first.

    Returns
    -------
    DataFrame
        ``word, label, n, before, after, gain, example``, largest gain first: the 20 with the
        largest and the 20 with the smallest.
    """
    train, test = splits_of(table)
    null = null_probability(train, test)
    last = answers[(answers.layer == answers.layer.max()) & (answers.classifier == PROBE)]
    if not typed(test) or not {after, before} <= set(last.state):
        return pd.DataFrame(columns=list(WORDS))
    found = test[["label"]].assign(row=np.arange(len(test)), word=_words(examples, test))
    for name, state in (("before", before), ("after", after)):
        found[name] = pointwise(_log_p(last[last.state == state]), null).mean(axis=1)
    found = found[null > 0]
    means = found.groupby(["word", "label"], as_index=False).agg(
        n=("row", "size"), before=("before", "mean"), after=("after", "mean"), row=("row", "first")
    )
    means = means[means.n >= LEAST_WORDS].assign(gain=means.after - means.before)
    means = means.sort_values(["gain", "word", "label"], ascending=[False, True, True])
    if len(means) > 2 * LISTED:
        means = pd.concat([means.head(LISTED), means.tail(LISTED)])
    spans = test.span1.to_numpy()[means.row.to_numpy(dtype=np.int64)]
    means["example"] = [_context(examples, int(span)) for span in spans]
    numbers = ["before", "after", "gain"]
    means[numbers] = means[numbers].round(4)
    return means[list(WORDS)].reset_index(drop=True)


def pointwise(log_p: Floats, null: Floats) -> Floats:
    """Bits that each answer gives, shape (n, initialisations).

    Parameters
    ----------
    log_p : array of shape (n, initialisations)
        Natural logarithm of the probability that the classifier gives to the label.
    null : array of shape (n,)
        Frequency of the label among the training examples, above 0.

    Examples
    --------
    >>> pointwise(np.log([[1.0], [0.25], [0.0]]), np.array([0.25, 0.25, 0.25])).round(2).tolist()
    [[1.99], [0.0], [-6.64]]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.log2((1 - LEFT_TO_NULL) * np.exp(log_p) / null[:, None] + LEFT_TO_NULL)
    return np.asarray(bits, dtype=np.float64)


def splits_of(table: pd.DataFrame) -> list[pd.DataFrame]:
    """The training and the test examples of `spaces.example_table`, each counted from 0."""
    return [table[table.split == one].reset_index(drop=True) for one in ("train", "test")]


def typed(examples: pd.DataFrame) -> bool:
    """Whether each example has a word type, as whole texts have none."""
    return bool((examples.type != "").all())


def type_answers(train: pd.DataFrame, test: pd.DataFrame, default: str) -> "pd.Series[bool]":
    """Whether each test label is the most frequent training label of its type, else `default`."""
    usual = train.groupby("type").label.agg(lambda labels: labels.mode()[0])
    return test.type.map(usual).fillna(default) == test.label


def null_probability(train: pd.DataFrame, test: pd.DataFrame) -> Floats:
    """Frequency of each test label among the training labels, shape (n_test,)."""
    shares = train.label.value_counts(normalize=True)
    return np.asarray(test.label.map(shares).fillna(0.0), dtype=np.float64)


def type_probability(train: pd.DataFrame, test: pd.DataFrame) -> Floats | None:
    """What the type of the word says of each test label; nothing where there are no types.

    ``(n(type, y) + g(y)) / (n(type) + 1)`` over the training examples.
    """
    if not typed(test):
        return None
    of_type = train.type.value_counts()
    both = train.groupby(["type", "label"]).size()
    pairs = pd.MultiIndex.from_frame(test[["type", "label"]])
    hits = both.reindex(pairs, fill_value=0).to_numpy(dtype=np.float64)
    seen = np.asarray(test.type.map(of_type).fillna(0.0), dtype=np.float64)
    found: Floats = (hits + null_probability(train, test)) / (seen + 1)
    return found


def _log_p(answers: pd.DataFrame) -> Floats:
    """``log_p`` of one state, layer and classifier, shape (n_test, initialisations)."""
    wide = answers.pivot(index="example", columns="init", values="log_p")
    return wide.to_numpy(dtype=np.float64)


def _interval(
    text: "pd.Series[int]",
    settings: tuple[float, int, int],
    metric: str,
    bits: Floats,
    chosen: NDArray[Any],
    **facets: Any,
) -> Result:
    """The mean of the bits of some examples; the same samples of texts for equal examples."""
    confidence, bootstrap, seed = settings
    groups = text.to_numpy()[chosen]
    draws = rng(seed, "classify", "information", facets.get("label", ""))
    found = crossed_interval(bits, groups, confidence=confidence, n_bootstrap=bootstrap, rng=draws)
    value, low, high = map(float, found)
    return Result(metric, value, low, high, len(bits), **facets)


def _words(examples: Examples, test: pd.DataFrame) -> list[str]:
    """What each test example is of: a word, or two, in lower case."""
    return [
        " ".join(_span_words(examples, span).lower() for span in pair if span != NO_SPAN)
        for pair in zip(test.span1.tolist(), test.span2.tolist(), strict=True)
    ]


def _span_words(examples: Examples, span: int, around: int = 0) -> str:
    """The words of a span, and some of those around it."""
    text, segment, start, end = (
        int(examples.spans[name].iloc[span]) for name in ("text", "segment", "start", "end")
    )
    words = examples.texts.words2 if segment == 1 else examples.texts.words1
    return " ".join(words.iloc[text][max(start - around, 0) : end + around])


def _context(examples: Examples, span: int) -> str:
    return _span_words(examples, span, EXAMPLE_WORDS)
