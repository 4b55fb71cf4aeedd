"""What runs are compared by: the headline numbers of one state, and the tables of `dvc plots`.

Names contain neither state nor encoder nor corpus, so that `dvc exp show` has the same columns and
`dvc plots diff` the same panels for every run.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from tuneprobe.artifacts import atomic_file
from tuneprobe.errors import UnknownNameError
from tuneprobe.results import NO_LAYER, significant

PROBES = ("synonyms", "abbreviation", "coreference", "answer-type", "boundary")
PAIR_PROBES = PROBES[:-1]
STATES = ("random", "pretrained", "finetuned")
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
HEADLINE_ANSWERS = ("long_f1", "short_f1", "exact_match", "f1")
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

CURVE_COLUMNS = ("panel", "layer", "value", "low", "high")
GAP_COLUMNS = (*CURVE_COLUMNS, "significant")
SCORE_COLUMNS = ("panel", "metric", "value")


def select(results: pd.DataFrame, **keys: str | int | Sequence[str]) -> pd.DataFrame:
    """The rows whose columns equal `keys`; a sequence stands for any of its members."""
    kept = results
    for column, wanted in keys.items():
        values = [wanted] if isinstance(wanted, str | int) else list(wanted)
        kept = kept[kept[column].isin(values)]
    return kept


def last_layer(results: pd.DataFrame) -> int:
    """Number of the last layer of the pairwise study; -1 where it has not run."""
    layers = select(results, study="pairwise").layer
    return int(layers.max()) if len(layers) else NO_LAYER


def usual_condition(probe: str) -> str:
    """The paper's own condition: cosine against single words; for boundary a linear head."""
    return "linear" if probe == "boundary" else "cosine/words"


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


def headline(results: pd.DataFrame, focus: str) -> dict[str, float]:
    """At most 25 numbers of the state `focus`; a number that was not measured is left out.

    Per probe, in its usual condition and as auc_macro (chance is 50), at the last layer:
    ``<probe>_last``; ``<probe>_over_random`` and ``<probe>_over_pretrained``, the same less that of
    the other state; ``<probe>_length_matched``, against negatives as long as the match. Then
    ``long_f1``, ``short_f1`` and, for corpora with single answers, ``exact_match`` and ``f1``.

    Raises
    ------
    UnknownNameError
        If `focus` is not a state.
    """
    if focus not in STATES:
        raise UnknownNameError("state", focus, STATES)
    answers = select(results, study="evaluate", state=focus).set_index("metric").value
    numbers = dict(_probe_numbers(results, focus))
    numbers |= {name: answers[name] for name in HEADLINE_ANSWERS if name in answers.index}
    return {name: significant(number) for name, number in sorted(numbers.items())}


def _probe_numbers(results: pd.DataFrame, focus: str) -> Iterator[tuple[str, float]]:
    at_last = select(results, study="pairwise", metric="auc_macro", layer=last_layer(results))
    values = at_last.set_index(["task", "condition", "state"]).value.to_dict()
    for probe in PROBES:
        name = probe.replace("-", "_")
        condition = usual_condition(probe)
        here = values.get((probe, condition, focus))
        if here is None:
            continue
        yield f"{name}_last", here
        for other in ("random", "pretrained"):
            if (probe, condition, other) in values:
                yield f"{name}_over_{other}", here - values[probe, condition, other]
        matched = values.get((probe, "cosine/length-matched", focus))
        if matched is not None:
            yield f"{name}_length_matched", matched


def plot_tables(
    results: pd.DataFrame, focus: str, *, confidence: float = 0.95
) -> dict[str, pd.DataFrame]:
    """The tables of metrics/plots, one row a point; file stem to frame.

    ``layers`` the curves of `focus` that Figure 1 of the paper shows; ``controls`` the same probes
    against length-matched negatives and with the mean vector subtracted; ``gaps`` fine-tuned minus
    pre-trained, ``significant`` where Holm's p-value is below 1 - `confidence`; ``scores`` the
    answers of `focus`. A table without data keeps its columns.
    """
    if focus not in STATES:
        raise UnknownNameError("state", focus, STATES)
    return {
        "layers": _curves(results, focus, {probe: paper_conditions(probe) for probe in PROBES}),
        "controls": _curves(results, focus, dict.fromkeys(PAIR_PROBES, CONTROLS)),
        "gaps": gap_points(results, 1 - confidence),
        "scores": _scores(results, focus),
    }


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write each table as ``<name>.csv``, each in one step."""
    for name, table in tables.items():
        with atomic_file(folder / f"{name}.csv") as part:
            table.to_csv(part, index=False)


def _curves(
    results: pd.DataFrame, state: str, conditions: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    rows = select(results, study="pairwise", state=state, metric="auc_macro")
    parts = []
    for probe, wanted in conditions.items():
        for condition in wanted:
            curve = select(rows, task=probe, condition=condition).sort_values("layer")
            parts.append(curve.assign(panel=panel_name(probe, condition)))
    return _table(parts, CURVE_COLUMNS)


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
    return _table(parts, GAP_COLUMNS)


def _scores(results: pd.DataFrame, state: str) -> pd.DataFrame:
    rows = select(results, study="evaluate", state=state).set_index("metric")
    parts = []
    for metric in ANSWER_METRICS:
        if metric in rows.index:
            answer, _, name = metric.partition("_")
            nested = answer in ("long", "short")
            panel = f"{answer} answer" if nested else "single answer"
            label = (name if nested else metric).replace("_", " ").replace("f1", "F1")
            parts.append(rows.loc[[metric]].assign(panel=panel, metric=label))
    return _table(parts, SCORE_COLUMNS)


def _table(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    parts = [part[list(columns)] for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=list(columns))
    table = pd.concat(parts, ignore_index=True)
    for column in table.columns.intersection(["value", "low", "high"]):
        table[column] = table[column].map(significant)
    return table
