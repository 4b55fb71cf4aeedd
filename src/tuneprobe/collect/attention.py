"""What runs are compared by in the attention study; and its rows, by what they measure."""

from collections.abc import Iterator

import pandas as pd

from tuneprobe.collect.estimates import Estimate, estimates, mean
from tuneprobe.collect.tables import CURVE_COLUMNS, select, tidy_table
from tuneprobe.formats.results import NO_HEAD, NO_LAYER

STUDY, ABLATION = "attention", "ablation"
BEFORE, AFTER = "pretrained", "finetuned"
CHANGED = f"{AFTER}-{BEFORE}"
METRICS = ("accuracy", "f1", "pearson", "spearman")
PAIR_TASKS = ("rte", "mrpc", "stsb", "qqp", "qnli", "mnli", "mnli-mismatched", "sick", "world-rte")
SENTENCE_TASKS = ("sst2", "world-sst2")
LABELS = {
    "mrpc": "MRPC",
    "stsb": "STS-B",
    "sst2": "SST-2",
    "qqp": "QQP",
    "rte": "RTE",
    "qnli": "QNLI",
    "mnli": "MNLI",
    "mnli-mismatched": "MNLI (mismatched)",
    "sick": "SICK",
    "world-rte": "world RTE",
    "world-sst2": "world SST-2",
    "framenet-1.5": "FrameNet 1.5",
    "framenet-1.7": "FrameNet 1.7",
}
UNIFORM = "uniform"  # the state in which every piece receives the same attention
ABLATIONS = ("uniform", "zero", "mean")
PATTERNS = ("vertical", "diagonal", "vertical+diagonal", "block", "heterogeneous")
TYPES = (
    "cls",
    "sep",
    "punctuation",
    "noun",
    "verb",
    "pronoun",
    "subject",
    "object",
    "negation",
)
TYPE_LABELS = {"cls": "[CLS]", "sep": "[SEP]"}
HEAD_COLUMNS = ("panel", "layer", "head", "value")
SHOWN_TYPES = TYPES[:3]
DIRECTIONS = {"from-to": "first to second", "to-from": "second to first"}  # word of a pair
HEADLINE_NAMES = (
    "pair_task_score",
    "sentence_task_score",
    "map_similarity_last",
    "heterogeneous_share",
    "harmful_heads",
)
MAX_RELATIONS = 4  # shown of a task: those with the most texts


def task_label(task: str) -> str:
    """What a figure calls a task.

    >>> task_label("sst2"), task_label("world-rte"), task_label("framenet-1.5")
    ('SST-2', 'world RTE', 'FrameNet 1.5')
    """
    return LABELS.get(task, task.replace("-", " "))


def type_label(kind: str) -> str:
    """What a figure calls a type of tokens."""
    return TYPE_LABELS.get(kind, kind)


def type_panel(task: str, kind: str) -> str:
    """What a figure calls attention to one type of token in one task.

    >>> type_panel("rte", "sep")
    'RTE · [SEP]'
    """
    return f"{task_label(task)} · {type_label(kind)}"


def map_similarity(results: pd.DataFrame, state: str = CHANGED) -> pd.DataFrame:
    """Cosine of the maps of two states by task, layer and head (-1: mean over a layer's heads)."""
    return select(results, study=STUDY, metric="map_similarity", state=state)


def by_type(results: pd.DataFrame, metric: str = "share") -> pd.DataFrame:
    """Attention to types of tokens (`cls_row_share`: from [CLS]), with the column ``kind``."""
    rows = select(results, study=STUDY, metric=metric)
    return rows.assign(kind=_part(rows, 0))


def entropy(results: pd.DataFrame) -> pd.DataFrame:
    """Entropy of the rows of a map over the largest possible, by task, state, layer and head."""
    return select(results, study=STUDY, metric="entropy", condition="normalised")


def pattern_shares(results: pd.DataFrame, classifier: str = "network") -> pd.DataFrame:
    """Share of the maps that show a pattern, with the column ``pattern``."""
    rows = select(results, metric="pattern_share")
    rows = rows[_part(rows, 1) == classifier]
    return rows.assign(pattern=_part(rows, 0))


def pair_weights(results: pd.DataFrame) -> pd.DataFrame:
    """Weight between annotated words, with the columns ``relation`` and ``direction``.

    Of each task, the `MAX_RELATIONS` relations with the most texts.
    """
    rows = select(results, study=STUDY, metric="pair_weight")
    rows = rows.assign(relation=_part(rows, 0), direction=_part(rows, 1))
    largest = rows.groupby(["task", "relation"]).n.max().reset_index()
    largest = largest.sort_values(["task", "n", "relation"], ascending=[True, False, True])
    kept = largest.groupby("task").head(MAX_RELATIONS)
    return rows.merge(kept[["task", "relation"]], on=["task", "relation"])


def task_scores(results: pd.DataFrame) -> pd.DataFrame:
    """Scores of whole-text tasks under the first metric of each, with ``baseline``, the majority's.

    The other tasks that `evaluate` scores belong to other studies.
    """
    rows = select(results, study="evaluate", task=PAIR_TASKS + SENTENCE_TASKS)
    measured, majority = (
        _first_metric(rows, [prefix + metric for metric in METRICS]) for prefix in ("", "majority_")
    )
    keys = ["task", "state"]
    baseline = majority.set_index(keys).value.rename("baseline")
    return measured.join(baseline, on=keys)


def shown_ablation(results: pd.DataFrame) -> str:
    """The first of `ABLATIONS` that the run has."""
    ran = set(select(results, study=ABLATION).condition)
    return next((one for one in ABLATIONS if one in ran), ABLATIONS[0])


def ablation_changes(results: pd.DataFrame) -> pd.DataFrame:
    """What the task's first metric gains, in points, without each head and layer (head -1)."""
    rows = select(results, study=ABLATION, condition=shown_ablation(results))
    return _first_metric(rows, [f"{metric}_change" for metric in METRICS])


def attention_headline(results: pd.DataFrame, focus: str) -> dict[str, Estimate]:
    """Estimates of the state `focus`, each the mean over the tasks that have it.

    ``pair_task_score`` and ``sentence_task_score``: first metric of the task, in percent.
    ``map_similarity_last``: cosine with the pre-trained maps, last layer.
    ``heterogeneous_share``: of all maps, by the network. ``harmful_heads``: heads without which
    the score is higher.
    """
    return {name: mean(found) for name, found in _numbers(results, focus) if found}


def attention_tables(results: pd.DataFrame, focus: str) -> dict[str, pd.DataFrame]:
    """Tables of one row a head or a point.

    ``map_similarity``: cosine of each head's maps before and in `focus`. ``token_types``:
    attention to [CLS], [SEP] and punctuation by layer. ``head_ablation``: what the score gains
    without each head.
    """
    return {
        "map_similarity": _head_table(map_similarity(results, f"{focus}-{BEFORE}")),
        "token_types": _type_curves(results, focus),
        "head_ablation": _head_table(select(ablation_changes(results), state=focus)),
    }


def _numbers(results: pd.DataFrame, focus: str) -> Iterator[tuple[str, list[Estimate]]]:
    scores = select(task_scores(results), state=focus)
    yield "pair_task_score", estimates(select(scores, task=PAIR_TASKS))
    yield "sentence_task_score", estimates(select(scores, task=SENTENCE_TASKS))
    yield "map_similarity_last", _similarity_at_last(results, focus)
    shares = select(pattern_shares(results), state=focus, layer=NO_LAYER)
    yield "heterogeneous_share", estimates(select(shares, pattern="heterogeneous"))
    changes = of_heads(select(ablation_changes(results), state=focus))
    helping = (changes.value > 0).groupby(changes.task).sum()
    yield "harmful_heads", [Estimate(float(count)) for count in helping]


def _similarity_at_last(results: pd.DataFrame, focus: str) -> list[Estimate]:
    """That of the pre-trained maps with themselves is 1, wherever any others were compared."""
    if focus == BEFORE:
        return [Estimate(1.0) for _ in at_last(map_similarity(results)).value]
    return estimates(at_last(map_similarity(results, f"{focus}-{BEFORE}")))


def at_last(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last layer of each task, means over its heads."""
    rows = select(rows, head=NO_HEAD)
    return rows[rows.layer == rows.groupby("task").layer.transform("max")]


def of_heads(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of single heads."""
    return rows[rows["head"] != NO_HEAD]


def _head_table(rows: pd.DataFrame) -> pd.DataFrame:
    heads = of_heads(rows).sort_values(["task", "layer", "head"])
    return tidy_table([heads.assign(panel=heads.task.map(task_label))], HEAD_COLUMNS)


def _type_curves(results: pd.DataFrame, state: str) -> pd.DataFrame:
    rows = select(by_type(results), state=state, head=NO_HEAD, kind=SHOWN_TYPES)
    parts = []
    for (task, kind), curve in rows.groupby(["task", "kind"]):
        panel = type_panel(str(task), str(kind))
        parts.append(curve.sort_values("layer").assign(panel=panel))
    return tidy_table(parts, CURVE_COLUMNS)


def _part(rows: pd.DataFrame, place: int) -> pd.Series:
    """One of the parts of the condition."""
    return rows.condition.str.split("/").str[place].astype(str)


def _first_metric(rows: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """The rows of the metric that comes first among those that a task has."""
    ranks = rows.metric.map({metric: rank for rank, metric in enumerate(metrics)})
    return rows[ranks.notna() & (ranks == ranks.groupby(rows.task).transform("min"))]
