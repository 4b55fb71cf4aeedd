"""What the geometry study measures, under which names; its tasks, as the paper spells them."""

from math import nan
from typing import Any, NamedTuple

import pandas as pd

from tuneprobe.collect.estimates import Estimate, estimates
from tuneprobe.collect.tables import at_last_layer, last_layer, select
from tuneprobe.formats.results import OVER_BASELINE
from tuneprobe.measures import PERCENT, POINTS, Measure
from tuneprobe.states import FINETUNED, PRETRAINED

TASKS = {"pos": "POS", "dep": "DEP", "ps-role": "PS-role", "ps-fxn": "PS-fxn", "trec-50": "TREC-50"}
CLASSIFIERS = {"mlp": "MLP", "linear": "linear"}
STUDIES = ("classify", "geometry", "similarity")
BEFORE, AFTER = PRETRAINED, FINETUNED
ORIGINAL: dict[str, Any] = {"against": BEFORE}  # a tuned space and the original one
TRAIN_TEST: dict[str, Any] = {"splits": "train/test"}  # two splits of one space
ETHAYARAJH, HEWITT = "Ethayarajh et al. 2022", "Hewitt & Liang 2019"
ZHOU, SIMPLE = "Zhou & Srikumar 2022", "DirectProbe, Zhou & Srikumar 2021"


def _classify(name: str, label: str, unit: str = PERCENT, cite: str = "") -> Measure:
    return Measure("classify", name, label, unit, cite, ("classifier",))


def _bits(name: str, label: str, *facets: str) -> Measure:
    return Measure("classify", name, label, "bits", ETHAYARAJH, facets)


def _space(name: str, label: str, unit: str = "") -> Measure:
    return Measure("geometry", name, label, unit, SIMPLE, ("label",))


def _alike(name: str, label: str, cite: str) -> Measure:
    facets = ("against", "other", "splits")
    return Measure("similarity", name, label, "", cite, facets, within=(-1, 1))


def _followed(name: str, label: str, *facets: str) -> Measure:
    return Measure("dynamics", name, label, facets=facets)


def _crossed(name: str, label: str, unit: str = "", *facets: str) -> Measure:
    return Measure("cross-task", name, label, unit, facets=facets)


MEASURES = (
    _classify("accuracy", "accuracy", cite=ZHOU),
    _classify("std", "standard deviation over initialisations", POINTS),
    Measure("classify", "majority", "share of the largest class", PERCENT),
    _classify("control_accuracy", "accuracy on control labels", cite=HEWITT),
    _classify("selectivity", "selectivity", POINTS, HEWITT),
    _classify("codelength", "bits per example", "bits", "Voita & Titov 2020"),
    _classify("codelength_std", "bits per example, spread over orders", "bits"),
    _classify("compression", "compression", "times"),
    _bits("label_bits", "what the label costs without a vector"),
    _bits("v_information", "what a vector gives of its label", "classifier"),
    _bits("v_beyond_type", "the same, beyond the type of its word", "classifier"),
    _bits("v_gain", "what tuning added", "classifier", "against", "label"),
    Measure(
        "classify",
        "gap",
        "accuracy, tuned minus pre-trained",
        POINTS,
        facets=("classifier", "against"),
    ),
    Measure(
        "classify",
        OVER_BASELINE,
        "tuned minus a baseline",
        POINTS,
        facets=("classifier", "against", "score"),
    ),
    _space("n_clusters", "clusters"),
    _space("n_labels", "labels"),
    _space("is_linear", "linear"),
    _space("conflicts", "label pairs whose hulls meet"),
    _space("n_shared", "examples with a copy under another label"),
    _space("outside_min", "distance to the nearest label"),
    _space("inside_mean", "mean distance inside a label"),
    _space("separation", "distance to the nearest label over width"),
    _space("inside_max", "largest distance inside a label"),
    _space("nearest_accuracy", "accuracy of the nearest cluster", PERCENT),
    _alike("spatial_similarity", "spatial similarity", ZHOU),
    _alike("cka", "linear CKA", "Kornblith et al. 2019"),
    _alike("cka_debiased", "linear CKA, debiased", "Kornblith et al. 2019"),
    _alike("rsa", "RSA", "Kriegeskorte et al. 2008"),
    _alike("knn_overlap", "same neighbours", "Davari et al. 2023"),
    _alike("split_deficit", "below random splits", ZHOU),
    _followed("outside_min_change", "change of the distance", "label"),
    _followed("spatial_similarity", "spatial similarity", "step"),
    _followed("n_turning", "labels whose distance is not monotone"),
    _followed("direction", "mean cosine of the ways of labels"),
    _followed("closest_parting", "parting of the closest labels, log2"),
    _followed("gain_by_label", "distance with recall, over labels"),
    _followed("gain_by_step", "distance with recall, over steps"),
    _crossed("outside_min", "distance to the nearest label", "", "label"),
    _crossed("n_increased", "labels that rose"),
    _crossed("n_decreased", "labels that fell"),
    _crossed("mean_change", "mean change of the distance"),
    _crossed("accuracy", "accuracy", PERCENT, "classifier"),
    _crossed("std", "standard deviation over initialisations", POINTS, "classifier"),
    _crossed("majority", "share of the largest class", PERCENT),
)


def task_key(task: str) -> str:
    """A task without its corpus; one that the paper does not have keeps its name.

    >>> task_key("world-ps-role"), task_key("ewt-pos"), task_key("sst2")
    ('ps-role', 'pos', 'sst2')
    """
    return next((key for key in TASKS if task == key or task.endswith(f"-{key}")), task)


def tasks_of(results: pd.DataFrame, *studies: str) -> list[str]:
    """Tasks that any of the studies has numbers of, in the paper's order."""
    order = list(TASKS)

    def place(task: str) -> tuple[int, str]:
        key = task_key(task)
        return (order.index(key) if key in TASKS else len(order), task)

    return sorted(set(select(results, study=studies or STUDIES).task), key=place)


def deepest(results: pd.DataFrame) -> int:
    """Number of the last layer in any study of labelled spaces; -1 where none has run."""
    return max(last_layer(results, study) for study in STUDIES)


def estimates_at_last(
    results: pd.DataFrame, study: str, metric: str, state: str, **facets: Any
) -> dict[str, Estimate]:
    """Task to the estimate at its last layer, where it was measured."""
    rows = select(results, study=study, metric=metric, state=state, **({"label": ""} | facets))
    rows = at_last_layer(rows)
    return dict(zip(rows.task, estimates(rows), strict=True))


def at_last(
    results: pd.DataFrame, study: str, metric: str, state: str, **facets: Any
) -> dict[str, float]:
    """Task to the value at its last layer, where it was measured."""
    found = estimates_at_last(results, study, metric, state, **facets)
    return {task: one.value for task, one in found.items()}


class CrossTask(NamedTuple):
    """A row of Table 5: a task probed after tuning on another, or on itself.

    ``rose`` and ``fell`` count the labels whose smallest distance to another label changed,
    ``change`` is the mean change, ``accuracy`` that of the MLP, in percent; all at the last layer.
    """

    task: str
    tuned_on: str
    layer: int
    rose: int
    fell: int
    change: float
    accuracy: float

    @property
    def related(self) -> bool:
        """Whether both tasks are of one family, as PS-role and PS-fxn."""
        probed, tuned = (task_key(name).partition("-")[0] for name in (self.task, self.tuned_on))
        return probed == tuned

    @property
    def facets(self) -> dict[str, Any]:
        """Columns of its accuracy in the result rows."""
        return {"tuned_on": "" if self.tuned_on == self.task else self.tuned_on}


def cross_tasks(results: pd.DataFrame) -> list[CrossTask]:
    """The rows of Table 5: first tuned on the probed task itself, then related, then others."""
    rows = select(results, study="cross-task", state=AFTER, label="", classifier=["", "mlp"])
    rows = at_last_layer(rows)
    found = [
        _cross_task(str(task), str(tuned_on or task), of_task)
        for (task, tuned_on), of_task in rows.groupby(["task", "tuned_on"])
    ]
    return sorted(found, key=lambda row: (row.task, row.tuned_on != row.task, not row.related))


def _cross_task(task: str, tuned_on: str, rows: pd.DataFrame) -> CrossTask:
    values = rows.set_index("metric").value.to_dict()
    return CrossTask(
        task,
        tuned_on,
        int(rows.layer.iloc[0]),
        int(values.get("n_increased", 0)),
        int(values.get("n_decreased", 0)),
        values.get("mean_change", nan),
        values.get("accuracy", nan),
    )
