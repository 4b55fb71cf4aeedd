"""What the attention study measures, under which names; its rows, by what they measure."""

from typing import Any

import pandas as pd

from tuneprobe.collect.tables import select
from tuneprobe.formats.results import NO_HEAD
from tuneprobe.measures import PERCENT, POINTS, Measure
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.wording import score_label

STUDY, ABLATION = "attention", "ablation"
BEFORE, AFTER = PRETRAINED, FINETUNED
CHANGED: dict[str, Any] = {"against": BEFORE}
CORRELATIONS = ("pearson", "spearman")
METRICS = ("accuracy", "f1", *CORRELATIONS)
PAIR_TASKS = ("rte", "mrpc", "stsb", "qqp", "qnli", "mnli", "mnli-mismatched", "sick", "world-rte")
SENTENCE_TASKS = ("sst2", "world-sst2")
UNIFORM = "uniform"  # the state in which every token receives the same attention
ABLATIONS = ("uniform", "zero", "mean")
PRUNED, FIFTH = "pruned", 0.2  # the ablation of several heads at once; of them all, as claimed
FRAMES = "core-element"  # the relation of frame elements and targets; others are of dependencies
PATTERNS = ("vertical", "diagonal", "vertical+diagonal", "block", "heterogeneous")
WORD_TYPES = ("noun", "verb", "pronoun", "subject", "object", "negation")
SHOWN_TYPES = ("cls", "sep", "punctuation")
TYPES = SHOWN_TYPES + WORD_TYPES
TYPE_LABELS = {"cls": "[CLS]", "sep": "[SEP]"}
DIRECTIONS = {"from-to": "first to second", "to-from": "second to first"}  # word of a pair
MAX_RELATIONS = 4  # shown of a task: those with the most texts
KOVALEVA = "Kovaleva et al. 2019"
PAIR_FACETS = ("relation", "direction", "pairing")


def _head(name: str, label: str, *facets: str) -> Measure:
    return Measure(STUDY, name, label, cite=KOVALEVA, facets=facets)


def _lost(name: str, label: str, cite: str = "", *facets: str) -> Measure:
    return Measure(ABLATION, name, label, cite=cite, facets=facets)


def _scores(study: str, unit: str, names: str, *facets: str) -> tuple[Measure, ...]:
    return tuple(
        Measure(
            study,
            names.format(metric),
            score_label(metric),
            unit,
            facets=facets,
            within=(-100, 100) if metric in CORRELATIONS and unit == PERCENT else None,
        )
        for metric in METRICS
    )


MEASURES = (
    _head("map_similarity", "cosine of maps", "against", "crop"),
    _head("map_floor", "cosine of maps of unrelated heads", "against", "crop"),
    _head("entropy", "entropy of rows", "scale"),
    _head("share", "attention received", "token_type", "rows", "tokens"),
    _head("cls_row_share", "attention of [CLS]", "token_type", "tokens"),
    _head("pattern_share", "share of maps", "pattern", "classifier"),
    _head("pattern_change", "change of the share of maps", "against", "pattern", "classifier"),
    _head("pattern_agreement", "agreement of classifiers", "score", "classifier"),
    _head("pair_weight", "largest weight", *PAIR_FACETS),
    _head("pair_excess", "weight over that elsewhere", *PAIR_FACETS),
    *_scores(ABLATION, PERCENT, "{}", "ablation"),
    *_scores(ABLATION, POINTS, "{}_change", "ablation", "step"),
    *_scores(ABLATION, POINTS, "mean_{}_change", "ablation"),
    *_scores(ABLATION, POINTS, "largest_{}_change", "ablation"),
    _lost("mean_loss_change", "mean change of the loss", "", "ablation"),
    _lost("loss_change", "change of the loss", "", "ablation"),
    _lost("importance", "importance by gradient", "Michel et al. 2019"),
    _lost("importance_spearman", "Spearman’s ρ", "", "ablation"),
    *_scores("evaluate", PERCENT, "{}", "readout", "threshold", "classifier"),
    *_scores("evaluate", PERCENT, "majority_{}"),
)


def type_label(kind: str) -> str:
    """What a figure calls a type of tokens."""
    return TYPE_LABELS.get(kind, kind)


def tasks_of(results: pd.DataFrame) -> list[str]:
    """The tasks whose heads were measured or removed."""
    rows = select(results, study=(STUDY, ABLATION))
    return sorted(set(rows.task[~rows.metric.isin(["pair_weight", "pair_excess"])]))


def map_similarity(results: pd.DataFrame, state: str = AFTER) -> pd.DataFrame:
    """Cosine of the maps of a state and the pre-trained ones; head -1: mean over a layer."""
    return select(results, study=STUDY, metric="map_similarity", state=state, **CHANGED)


def map_floor(results: pd.DataFrame) -> pd.DataFrame:
    """Cosine of the maps of unrelated heads; head -1: mean over a layer."""
    return select(results, study=STUDY, metric="map_floor", state=AFTER, **CHANGED)


def by_type(results: pd.DataFrame, metric: str = "share") -> pd.DataFrame:
    """Attention to types of tokens (`cls_row_share`: from [CLS])."""
    return select(results, study=STUDY, metric=metric)


def entropy(results: pd.DataFrame) -> pd.DataFrame:
    """Entropy of the rows of a map over the largest possible, by task, state, layer and head."""
    return select(results, study=STUDY, metric="entropy", scale="normalised")


def pattern_shares(results: pd.DataFrame, classifier: str = "network") -> pd.DataFrame:
    """Share of the maps that show a pattern."""
    return select(results, metric="pattern_share", classifier=classifier)


def pair_weights(results: pd.DataFrame, metric: str = "pair_weight") -> pd.DataFrame:
    """Weight between annotated words; of each task, the relations with the most texts."""
    rows = select(results, study=STUDY, metric=metric)
    largest = rows.groupby(["task", "relation"]).n.max().reset_index()
    largest = largest.sort_values(["task", "n", "relation"], ascending=[True, False, True])
    kept = largest.groupby("task").head(MAX_RELATIONS)
    return rows.merge(kept[["task", "relation"]], on=["task", "relation"])


def task_scores(results: pd.DataFrame) -> pd.DataFrame:
    """Scores of whole-text tasks under the first metric of each, with ``baseline``, the majority's.

    The other tasks that `evaluate` scores belong to other studies.
    """
    rows = select(results, study="evaluate", task=PAIR_TASKS + SENTENCE_TASKS, classifier="")
    measured, majority = (
        _first_metric(rows, [prefix + metric for metric in METRICS]) for prefix in ("", "majority_")
    )
    keys = ["task", "state"]
    baseline = majority.set_index(keys).value.rename("baseline")
    return measured.join(baseline, on=keys)


def shown_ablation(results: pd.DataFrame) -> str:
    """The first of `ABLATIONS` that the run has."""
    ran = set(select(results, study=ABLATION).ablation)
    return next((one for one in ABLATIONS if one in ran), ABLATIONS[0])


def ablation_changes(results: pd.DataFrame) -> pd.DataFrame:
    """What the task's first metric gains, in points, without each head and layer (head -1)."""
    return ablated(results)


def ablated(results: pd.DataFrame, which: str = "", ablation: str = "") -> pd.DataFrame:
    """A change of the task's first metric: ``mean_`` over all heads, the ``largest_``, or of each.

    Of the ablation that is shown, unless another is named.
    """
    rows = select(results, study=ABLATION, ablation=ablation or shown_ablation(results))
    return _first_metric(rows, [f"{which}{metric}_change" for metric in METRICS])


def without_a_fifth(results: pd.DataFrame) -> pd.DataFrame:
    """The change without the heads of least importance, the most that are a fifth or fewer."""
    rows = ablated(results, ablation=PRUNED)
    few = rows[rows.step <= FIFTH * rows.groupby("task").step.transform("max")]
    return few[few.step == few.groupby("task").step.transform("max")]


def of_heads(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of single heads."""
    return rows[rows["head"] != NO_HEAD]


def percent(rows: pd.DataFrame) -> pd.DataFrame:
    """Fractions as percentages."""
    return rows.assign(**{column: 100 * rows[column] for column in ("value", "low", "high")})


def _first_metric(rows: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """The rows of the metric that comes first among those that a task has."""
    ranks = rows.metric.map({metric: rank for rank, metric in enumerate(metrics)})
    return rows[ranks.notna() & (ranks == ranks.groupby(rows.task).transform("min"))]
