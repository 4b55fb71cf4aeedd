"""The figures of the geometry study by layer."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from tuneprobe.claims import Evidence
from tuneprobe.collect.geometry import (
    AFTER,
    PROBES,
    SPATIAL,
    TO_ORIGINAL,
    TRAIN_TEST,
    majority,
    task_label,
    tasks_of,
)
from tuneprobe.collect.tables import select
from tuneprobe.report.blocks import Figure
from tuneprobe.report.charts import STATES
from tuneprobe.report.curve_figures import Curves, Measure, draw_curves
from tuneprobe.report.geometry_captions import (
    alike_caption,
    classifiers_caption,
    clusters_caption,
    controls_caption,
    distances_caption,
    spatial_caption,
)

Template = Mapping[str, Any]

BANDS = "Bands are the intervals of the mean over initialisations of the classifier."
ALIKE = {"cka": "CKA", "cka_debiased": "CKA, debiased", "rsa": "RSA"}
ALIKE_SERIES = [
    replace(state, name=metric, label=label)
    for (metric, label), state in zip(ALIKE.items(), STATES)
]


def classifiers_figure(evidence: Evidence, template: Template) -> Figure:
    """Accuracy of both classifiers, all tasks, layers and states."""
    measures = []
    for probe, label in PROBES.items():
        rows = by_state(evidence, "classify", "accuracy", probe)
        rows["baseline"] = [majority(evidence.results, task) for task in rows.task]
        measures.append(Measure(label, rows, baseline="majority"))
    return draw_curves(
        Curves(
            "classifiers",
            "What a classifier reads off each layer",
            classifiers_caption(evidence),
            "The accuracy on test examples of a network of two hidden layers (MLP) and of one "
            f"without (linear), trained on the frozen vectors of a layer. {BANDS} The share of "
            "the largest class, which needs no vectors, stands in the heading, and as a dotted "
            "line where the axis reaches it.",
            "accuracy, %",
            measures,
            STATES,
            tasks_of(evidence.results, "classify"),
            task_label,
        ),
        template,
    )


def clusters_figure(evidence: Evidence, template: Template) -> Figure:
    """Clusters a label; one means that the space is linear."""
    rows = by_state(evidence, "geometry", "n_clusters")
    labels = by_state(evidence, "geometry", "n_labels").set_index(["task", "rev", "layer"]).value
    keys = pd.MultiIndex.from_frame(rows[["task", "rev", "layer"]])
    rows = rows.assign(value=rows.value / labels.reindex(keys).to_numpy(), baseline=1.0)
    rows = rows.dropna(subset="value")
    measure = Measure("clusters per label", rows, around=[1, 3], scale="log", digits=2)
    return draw_curves(
        Curves(
            "clusters",
            "How many clusters a label needs",
            clusters_caption(evidence),
            "DirectProbe merges examples of one label into clusters whose convex hulls meet no "
            "hull of another label. One cluster a label (dotted) means that a linear classifier "
            "separates all training examples. The axis is logarithmic.",
            "clusters per label",
            [measure],
            STATES,
            tasks_of(evidence.results, "geometry"),
            task_label,
        ),
        template,
    )


def distances_figure(evidence: Evidence, template: Template) -> Figure:
    """How far labels are from each other, and how wide they are."""
    return draw_curves(
        Curves(
            "distances",
            "How far labels lie apart, and how wide they are",
            distances_caption(evidence),
            "First of each pair: the distance from a label’s hull to the nearest hull of another "
            "label, the mean over the labels. Second: the mean distance between two examples of "
            "one cluster. Both are Euclidean; each has its axis."
            f"{_unmeasured(evidence)}",
            "Euclidean distance",
            [
                Measure("to the nearest label", by_state(evidence, "geometry", "outside_min")),
                Measure("inside a label", by_state(evidence, "geometry", "inside_mean")),
            ],
            STATES,
            tasks_of(evidence.results, "geometry"),
            task_label,
        ),
        template,
    )


def spatial_figure(evidence: Evidence, template: Template) -> Figure:
    """Spatial similarity to the original by layer, and of train to test."""
    original = by_state(evidence, "similarity", "spatial_similarity", TO_ORIGINAL)
    split = by_state(evidence, "similarity", "spatial_similarity", TRAIN_TEST)
    compared = set(select(evidence.results, study="similarity", metric="cka").task)
    return draw_curves(
        Curves(
            "spatial",
            "Which layers keep their spatial structure",
            spatial_caption(evidence),
            "Spatial similarity is the correlation of the distances between all pairs of labels in "
            "two spaces. First of each pair: the tuned space against the original one. Second: the "
            "training examples against the test examples of one state. A point is missing where a "
            "space is not linear.",
            "correlation",
            [
                Measure(label, rows, [1.0], digits=2, undefined=compared - set(rows.task))
                for label, rows in zip(SPATIAL.values(), (original, split))
            ],
            STATES,
            tasks_of(evidence.results, "similarity"),
            task_label,
        ),
        template,
    )


def alike_figure(evidence: Evidence, template: Template) -> Figure:
    """CKA and RSA of the tuned to the original layer."""
    rows = select(
        evidence.results, study="similarity", metric=list(ALIKE), condition=TO_ORIGINAL, state=AFTER
    )
    return draw_curves(
        Curves(
            "alike",
            "Which layers keep the places of single examples",
            alike_caption(rows, ALIKE),
            "The same examples in the same layer before and after tuning. Linear CKA compares "
            "their centred inner products; the debiased estimate is 0 for unrelated spaces. RSA "
            "is the rank correlation of the distances between all pairs of examples.",
            "similarity",
            [
                Measure(
                    "tuned to original",
                    rows.assign(rev=rows.metric),
                    around=[1.0],
                    digits=2,
                )
            ],
            ALIKE_SERIES,
            tasks_of(rows, "similarity") or tasks_of(evidence.results, "similarity"),
            task_label,
        ),
        template,
    )


def controls_figure(evidence: Evidence, template: Template) -> Figure:
    """Selectivity and compression of the MLP."""
    selectivity = by_state(evidence, "classify", "selectivity", "mlp")
    compression = by_state(evidence, "classify", "compression", "mlp")
    without_types = set(compression.task) - set(selectivity.task) if len(selectivity) else set()
    return draw_curves(
        Curves(
            "selectivity",
            "Control: is it the space, or the classifier?",
            controls_caption(evidence),
            "First of each pair: accuracy less that of the same network on control labels, which "
            "every word type draws at random: what is left was not learned by heart. Second: how "
            "many times shorter the labels become when they are sent to someone who has the "
            "vectors and learns as they come. Higher is better in both. Whole texts have no word "
            "type, so no selectivity.",
            "points; times",
            [
                Measure("selectivity, points", selectivity, undefined=without_types),
                Measure("compression, times", compression),
            ],
            STATES,
            tasks_of(evidence.results, "classify"),
            task_label,
        ),
        template,
    )


def by_state(evidence: Evidence, study: str, metric: str, condition: str = "") -> pd.DataFrame:
    """Rows of one number in the three states; the state is the series."""
    states = [state.name for state in STATES]
    rows = select(evidence.results, study=study, metric=metric, condition=condition, state=states)
    return rows.assign(rev=rows.state, baseline=float("nan"))


def _unmeasured(evidence: Evidence) -> str:
    """How many spaces were clustered without that their distances were measured."""
    clustered, measured = (
        set(
            by_state(evidence, "geometry", metric)[["task", "rev", "layer"]].itertuples(index=False)
        )
        for metric in ("n_clusters", "outside_min")
    )
    left = len(clustered - measured)
    return f" {left} spaces of too many clusters have no distances." if left else ""
