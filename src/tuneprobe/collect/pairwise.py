"""What runs are compared by in the pairwise study."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import pandas as pd

from tuneprobe.collect.estimates import NOT_MEASURED, Estimate, estimates
from tuneprobe.collect.tables import CURVE_COLUMNS, last_layer, select, tidy_table

PROBES = ("synonyms", "abbreviation", "coreference", "answer-type", "boundary")
PAIR_PROBES = PROBES[:-1]
GAP = "finetuned-pretrained"
ANSWER_METRICS = (
    "long_precision",
    "long_recall",
    "long_f1",
    "short_precision",
    "short_recall",
    "short_f1",
    "exact_match",
    "f1",
)
HEADLINE_ANSWERS = ("long_f1", "short_f1", "f1")
HEADLINE_PARTS = (("", ""), ("specific_", "specific"))  # in a name, and of a score
_OF_PROBES = tuple(
    f"{probe.replace('-', '_')}_{part}{what}"
    for probe in PROBES
    for part, _ in HEADLINE_PARTS
    for what in ("last", "over_pretrained")
)
HEADLINE_NAMES = _OF_PROBES + HEADLINE_ANSWERS
MEASURES = {
    "cosine": "cosine",
    "euclidean": "Euclidean",
    "linear": "linear head",
    "lens": "QA head",
}

CONTROLS = (
    "cosine/length-matched",
    "cosine/words/centred",
    "euclidean/length-matched",
    "euclidean/words/centred",
)

GAP_COLUMNS = (*CURVE_COLUMNS, "significant")
SCORE_COLUMNS = ("panel", "metric", "value")


def usual_condition(probe: str) -> str:
    """The paper's own condition: cosine against single words; for boundary a linear head."""
    return "linear" if probe == "boundary" else "cosine/words"


def part_condition(probe: str, part: str) -> str:
    """The usual condition of one part of a score (`studies/pairwise/probe/parts.py`).

    >>> part_condition("synonyms", "specific"), part_condition("boundary", "")
    ('cosine/words/specific', 'linear')
    """
    return "/".join(filter(None, (usual_condition(probe), part)))


def paper_conditions(probe: str) -> tuple[str, str]:
    """The two curves of one probe in Figure 1 of Cai et al. 2020; both readings of boundary."""
    return ("linear", "lens") if probe == "boundary" else ("cosine/words", "euclidean/words")


def panel_name(probe: str, condition: str) -> str:
    """What a figure calls one probe in one condition.

    >>> panel_name("answer-type", "euclidean/length-matched/centred")
    'answer type · Euclidean, length-matched, centred'
    >>> panel_name("synonyms", "cosine/words")
    'synonyms · cosine'
    """
    first, *rest = condition.split("/")
    parts = [MEASURES.get(first, first), *(part for part in rest if part != "words")]
    return f"{probe.replace('-', ' ')} · {', '.join(parts)}"


def pairwise_headline(results: pd.DataFrame, focus: str) -> dict[str, Estimate]:
    """Estimates of the state `focus`.

    Per probe, in its usual condition and as auc_macro (chance is 50), at the last layer:
    ``<probe>_last``, and ``<probe>_over_pretrained``, the same less that of the pre-trained
    encoder, its interval paired over the examples where the gap was measured. Both again of the
    part of the score that belongs to the pair (chance is 0): ``<probe>_specific_last`` and
    ``<probe>_specific_over_pretrained``, which says what tuning did to the pair. Then ``long_f1``,
    ``short_f1`` and, for corpora with single answers, ``f1``.
    """
    answers = select(results, study="evaluate", state=focus, metric=HEADLINE_ANSWERS)
    answers = answers[answers.task.str.endswith("-qa")]
    return dict(_probe_numbers(results, focus)) | dict(zip(answers.metric, estimates(answers)))


def pairwise_tables(
    results: pd.DataFrame, focus: str, *, confidence: float
) -> dict[str, pd.DataFrame]:
    """Tables of one row a point.

    ``layers`` the curves of `focus` that Figure 1 of the paper shows; ``controls`` the same probes
    against length-matched negatives and with the mean vector subtracted; ``gaps`` fine-tuned minus
    pre-trained, ``significant`` where Holm's p-value is below 1 - `confidence`; ``scores`` the
    answers of `focus`.
    """
    return {
        "layers": _curves(results, focus, {probe: paper_conditions(probe) for probe in PROBES}),
        "controls": _curves(results, focus, dict.fromkeys(PAIR_PROBES, CONTROLS)),
        "gaps": gap_points(results, 1 - confidence),
        "scores": _scores(results, focus),
    }


def _probe_numbers(results: pd.DataFrame, focus: str) -> Iterator[tuple[str, Estimate]]:
    at_last = select(
        results, study="pairwise", metric=("auc_macro", "gap"), layer=last_layer(results)
    )
    keys = zip(at_last.task, at_last.condition, at_last.state)
    found = dict(zip(keys, estimates(at_last)))
    for probe, (prefix, part) in product(PROBES, HEADLINE_PARTS):
        name, condition = f"{probe.replace('-', '_')}_{prefix}", part_condition(probe, part)
        here = found.get((probe, condition, focus))
        if here is None:
            continue
        yield f"{name}last", here
        before = found.get((probe, condition, "pretrained"))
        if before:
            gap = found.get((probe, condition, f"{focus}-pretrained"), NOT_MEASURED)
            yield f"{name}over_pretrained", gap._replace(value=here.value - before.value)


def _curves(
    results: pd.DataFrame, state: str, conditions: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    rows = select(results, study="pairwise", state=state, metric="auc_macro")
    parts = []
    for probe, wanted in conditions.items():
        for condition in wanted:
            curve = select(rows, task=probe, condition=condition).sort_values("layer")
            parts.append(curve.assign(panel=panel_name(probe, condition)))
    return tidy_table(parts, CURVE_COLUMNS)


def gap_points(results: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Fine-tuned minus pre-trained by layer in each probe's usual condition."""
    rows = select(results, study="pairwise", state=GAP)
    parts = []
    for probe in PROBES:
        condition = usual_condition(probe)
        of_probe = select(rows, task=probe, condition=condition)
        p_holm = select(of_probe, metric="p_holm").set_index("layer").value
        gap = select(of_probe, metric="gap").sort_values("layer")
        below = gap.layer.map(p_holm) < alpha
        significant = below.map({True: "yes", False: "no"})
        parts.append(gap.assign(panel=panel_name(probe, condition), significant=significant))
    return tidy_table(parts, GAP_COLUMNS)


def _scores(results: pd.DataFrame, state: str) -> pd.DataFrame:
    rows = select(results, study="evaluate", state=state, metric=ANSWER_METRICS)
    rows = rows[rows.task.str.endswith("-qa")].set_index("metric")
    parts = []
    for metric in ANSWER_METRICS:
        if metric in rows.index:
            answer, _, name = metric.partition("_")
            nested = answer in ("long", "short")
            panel = f"{answer} answer" if nested else "single answer"
            label = (name if nested else metric).replace("_", " ").replace("f1", "F1")
            parts.append(rows.loc[[metric]].assign(panel=panel, metric=label))
    return tidy_table(parts, SCORE_COLUMNS)
