"""The geometry study on the page: its figures, tables, methods and deviations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import isfinite, nan
from statistics import fmean, median
from typing import Any

import pandas as pd

from tuneprobe.collect.estimates import Estimate
from tuneprobe.collect.tables import select
from tuneprobe.measures import PERCENT
from tuneprobe.page.blocks import NOTHING, Cell, CellLike, Rows, ScoreTable
from tuneprobe.page.charts import RUNS, STATES, renamed
from tuneprobe.page.figures import (
    Curves,
    HeatMaps,
    Plot,
    Quantity,
    answer,
    most_and_least,
    over_tasks,
    sentences,
)
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.study import Study, published
from tuneprobe.studies.geometry.claims import GEOMETRY_CLAIMS, KEPT, distance_changes
from tuneprobe.studies.geometry.measures import (
    AFTER,
    BEFORE,
    CLASSIFIERS,
    MEASURES,
    ORIGINAL,
    TASKS,
    TRAIN_TEST,
    ZHOU,
    at_last,
    cross_tasks,
    deepest,
    estimates_at_last,
    task_key,
    tasks_of,
)
from tuneprobe.studies.geometry.steps import step_figures
from tuneprobe.wording import bounded, listed, number, signed, spread

NOTHING_TO_COMPARE = "There are no two states to compare."
PUBLISHED = published(__file__)
ALIKE = {"cka_debiased": "CKA, debiased", "rsa": "RSA", "knn_overlap": "same neighbours"}
ALIKE_SERIES = [renamed(look, *of) for of, look in zip(ALIKE.items(), RUNS[3:], strict=True)]
Line = tuple[str, list[CellLike]]  # label, cells


# captions


def both(
    inputs: PageInputs, study: str, metric: str, **facets: Any
) -> dict[str, tuple[float, float]]:
    """Task to the value before and after tuning at the last layer, where both are known."""
    before, after = (
        at_last(inputs.results, study, metric, state, **facets) for state in (BEFORE, AFTER)
    )
    return {
        task: (before[task], after[task])
        for task in tasks_of(inputs.results, study)
        if isfinite(before.get(task, nan)) and isfinite(after.get(task, nan))
    }


def how_many(pairs: Mapping[str, tuple[float, float]], sign: int = 1) -> str:
    """In how many of the tasks a number rises, or falls.

    >>> how_many({"a": (1, 2), "b": (2, 1)}), how_many({"a": (1, 2)}), how_many({"a": (1, 2)}, -1)
    ('1 of 2 tasks', 'the one task', 'not the one task')
    """
    count = sum(sign * after > sign * before for before, after in pairs.values())
    if len(pairs) == 1:
        return "the one task" if count else "not the one task"
    return f"{count} of {len(pairs)} tasks"


def classifiers_caption(classifier: str) -> Callable[[PageInputs], str]:
    """In how many tasks tuning raises the accuracy, and where most."""

    @partial(sentences, nothing=NOTHING_TO_COMPARE)
    def caption(inputs: PageInputs) -> Iterator[str]:
        found = both(inputs, "classify", "accuracy", classifier=classifier)
        if found:
            widest = max(found, key=lambda task: abs(found[task][1] - found[task][0]))
            yield (
                f"At the last layer the {CLASSIFIERS[classifier]} classifier is more accurate "
                f"after tuning in {how_many(found)}. The difference is widest in "
                f"{inputs.label(widest)}: {_from_to(found[widest])} %."
            )
            random = at_last(
                inputs.results, "classify", "accuracy", "random", classifier=classifier
            )
            if random:
                yield f"An encoder with random weights gives {spread(list(random.values()))} %."

    return caption


@partial(sentences, nothing="DirectProbe has not run.")
def clusters_caption(inputs: PageInputs) -> Iterator[str]:
    """How many spaces are linear, before and after."""
    rows = select(inputs.results, study="geometry", metric="is_linear")
    parts = [
        f"{int(of_state.value.sum())} of {len(of_state)} {name} tuning"
        for state, name in ((BEFORE, "before"), (AFTER, "after"))
        if len(of_state := select(rows, state=state))
    ]
    if len(rows):
        yield f"Spaces (a task at a layer) whose labels are one cluster each: {listed(parts)}."
    labels = at_last(inputs.results, "geometry", "n_labels", BEFORE)
    shown = [
        f"{inputs.label(task)} {_from_to(pair, 0)}"
        for task, pair in both(inputs, "geometry", "n_clusters").items()
        if pair[0] > labels.get(task, pair[0])
    ]
    if shown:
        yield f"Clusters at the last layer: {'; '.join(shown)}."


@partial(sentences, nothing=NOTHING_TO_COMPARE)
def distances_caption(inputs: PageInputs) -> Iterator[str]:
    """How many labels move apart, and by how much against the width of labels."""
    tasks = tasks_of(inputs.results, "geometry")
    found = {task: distance_changes(inputs.evidence, task).values() for task in tasks}
    parts = [
        f"{sum(change > 0 for change in changes)} of {len(changes)} ({inputs.label(task)})"
        for task, changes in found.items()
        if changes
    ]
    if parts:
        yield (
            "Labels whose nearest other label is farther away after tuning, at the last layer: "
            f"{listed(parts)}."
        )
        if wide := both(inputs, "geometry", "inside_mean"):
            yield f"The labels themselves become narrower in {how_many(wide, -1)}."


@partial(sentences, nothing="No pair of linear spaces was compared.")
def spatial_caption(inputs: PageInputs) -> Iterator[str]:
    """The least similarity to the original; whether train and test part."""
    rows = select(
        inputs.results, study="similarity", metric="spatial_similarity", state=AFTER, **ORIGINAL
    )
    if len(rows):
        _, least = most_and_least(rows)
        yield (
            f"The tuned spaces keep a similarity of at least {number(least['value'], 2)} to the "
            f"original ones ({inputs.label(least['task'])}, layer {least['layer']}); the paper "
            f"finds {number(KEPT, 1)} or more."
        )
    yield train_test_said(inputs)


def train_test_said(inputs: PageInputs) -> str:
    """In how many tasks train and test part."""
    found = both(inputs, "similarity", "spatial_similarity", **TRAIN_TEST)
    said = f"At the last layer train and test are less alike after tuning in {how_many(found, -1)}."
    return said if found else ""


def alike_rows(inputs: PageInputs) -> pd.DataFrame:
    """CKA, RSA and overlap of neighbours of the tuned and the original layer."""
    return select(inputs.results, study="similarity", metric=list(ALIKE), state=AFTER, **ORIGINAL)


def alike_caption(inputs: PageInputs) -> str:
    """Where each measure is lowest."""
    parts = []
    for metric, name in ALIKE.items():
        of_metric = select(alike_rows(inputs), metric=metric)
        if len(of_metric):
            _, least = most_and_least(of_metric)
            parts.append(
                f"{name} is lowest in {inputs.label(least['task'])} at layer {least['layer']}, "
                f"{number(least['value'], 2)}"
            )
    return f"{'; '.join(parts)}." if parts else "No two states were compared."


@partial(sentences, nothing="Neither control labels nor codelength were measured in two states.")
def controls_caption(inputs: PageInputs) -> Iterator[str]:
    """Whether tuning raises selectivity and shortens the code."""
    if chosen := both(inputs, "classify", "selectivity", classifier="mlp"):
        middle = median(after - before for before, after in chosen.values())
        yield (
            f"The MLP becomes more selective with tuning in {how_many(chosen)} (median change "
            f"{signed(middle)} points)."
        )
    if coded := both(inputs, "classify", "compression", classifier="mlp"):
        yield f"The labels compress better after it in {how_many(coded)}."


def layer_map_caption(inputs: PageInputs) -> str:
    """How like the first and the last layer are, by task before and after tuning."""
    parts: dict[str, list[str]] = {}
    for (task, _), rows in layer_pairs(inputs).groupby(["group", "measure"], sort=False):
        ends = rows[(rows.layer == rows.layer.min()) & (rows.other == rows.other.max())]
        parts.setdefault(inputs.label(str(task)), []).append(number(float(ends.value.iloc[0]), 2))
    if not parts:
        return "No two layers of one state were compared."
    shown = "; ".join(f"{task} {' and '.join(values)}" for task, values in parts.items())
    return f"Similarity of the lowest to the last layer, before and after tuning: {shown}."


def _from_to(pair: tuple[float, float], digits: int = 1) -> str:
    return f"{number(pair[0], digits)} to {number(pair[1], digits)}"


# figures


def _of(study: str, metric: str, **facets: Any) -> dict[str, Any]:
    return {"study": study, "metric": metric, **facets}


def _space(metric: str) -> dict[str, Any]:
    return _of("geometry", metric, label="")


def _tasks(*studies: str) -> Any:
    return lambda inputs: tasks_of(inputs.results, *studies)


def _not_linear(facets: dict[str, Any]) -> Any:
    """Tasks whose vectors were compared, but never two linear spaces."""

    def undefined(inputs: PageInputs) -> set[str]:
        rows = select(inputs.results, study="similarity")
        linear = set(select(rows, metric="spatial_similarity", **facets).task)
        return set(select(rows, metric="cka").task) - linear

    return undefined


def _distances_reading(inputs: PageInputs) -> str:
    """With how many spaces were clustered without that their distances were measured."""
    keys = ["task", "state", "layer"]
    clustered, measured = (
        set(select(inputs.results, **_space(metric))[keys].itertuples(index=False))
        for metric in ("n_clusters", "outside_min")
    )
    left = len(clustered - measured)
    return (
        "First of each pair: the distance from a label’s hull to the nearest hull of another "
        "label, the mean over the labels. Second: the mean distance between two examples of "
        "one cluster. Both are Euclidean; each has its axis. Third: the first over the second, "
        "label by label, which no scale of the space changes."
        + (f" {left} spaces of too many clusters have no distances." if left else "")
    )


BOTH_CLASSIFIERS = Curves(
    "classifiers",
    "What a classifier can recover from each layer",
    axis="accuracy, %",
    reading="The accuracy on test examples of a network of two hidden layers (MLP) and of one "
    "without (linear), trained on the frozen vectors of a layer. Bands are the intervals of the "
    "mean over initialisations of the classifier. The share of the largest class, which needs no "
    "vectors, stands in the heading, and as a dotted line where the axis reaches it.",
    caption=classifiers_caption("mlp"),
    groups=_tasks("classify"),
    quantities=[
        Quantity(
            label,
            _of("classify", "accuracy", classifier=classifier),
            baseline=_of("classify", "majority"),
            baseline_label="majority",
        )
        for classifier, label in CLASSIFIERS.items()
    ],
    better=True,
    plot=Plot("accuracy", "curves", "layer", "accuracy, %"),
)
CLASSIFIERS_FIGURE = replace(
    BOTH_CLASSIFIERS, quantities=BOTH_CLASSIFIERS.quantities[:1], plot=None
)
LINEAR_FIGURE = replace(
    BOTH_CLASSIFIERS,
    name="linear-classifier",
    title="The same without hidden layers",
    caption=classifiers_caption("linear"),
    quantities=BOTH_CLASSIFIERS.quantities[1:],
    plot=None,
)
CLUSTERS = Curves(
    "clusters",
    "How many clusters a label needs",
    axis="clusters per label",
    reading="DirectProbe merges examples of one label into clusters whose convex hulls meet no "
    "hull of another label. One cluster per label (dotted) means that a linear classifier "
    "separates all training examples. The axis is logarithmic.",
    caption=clusters_caption,
    groups=_tasks("geometry"),
    quantities=[
        Quantity(
            "clusters per label",
            _space("n_clusters"),
            over=_space("n_labels"),
            around=[1, 3],
            baseline=1.0,
            scale="log",
            digits=2,
        )
    ],
)
DISTANCES = Curves(
    "distances",
    "How far labels lie apart, and how wide they are",
    axis="Euclidean distance",
    reading=_distances_reading,
    caption=distances_caption,
    groups=_tasks("geometry"),
    quantities=[
        Quantity("to the nearest label", _space("outside_min")),
        Quantity("inside a label", _space("inside_mean")),
        Quantity("first over second", _space("separation"), digits=2),
    ],
)
SPATIAL = Curves(
    "spatial",
    "Which layers keep their spatial structure",
    axis="correlation",
    reading="Spatial similarity is the correlation of the distances between all pairs of labels in "
    "two spaces. First of each pair: the tuned space against the original one. Second: the "
    "training examples against the test examples of one state. A point is missing where a space is "
    "not linear.",
    caption=spatial_caption,
    groups=_tasks("similarity"),
    quantities=[
        Quantity(
            label,
            _of("similarity", "spatial_similarity", **facets),
            around=[1.0],
            digits=2,
            undefined=_not_linear(facets),
        )
        for label, facets in (
            ("to the original", {"state": AFTER, **ORIGINAL}),
            ("train to test", TRAIN_TEST),
        )
    ],
    plot=Plot(
        "spatial", "curves", "layer", "correlation", title="Spatial similarity, layer by layer"
    ),
)
ALIKE_FIGURE = Curves(
    "alike",
    "Which layers keep the places of single examples",
    axis="similarity",
    reading="The same examples in the same layer before and after tuning. Linear CKA compares "
    "their centred inner products; the debiased estimate is 0 for unrelated spaces, where the "
    "plain one is not. RSA is the rank correlation of the distances between all pairs of examples; "
    "‘same neighbours’ the share of an example’s nearest ones that stay. One direction can move "
    "CKA alone.",
    caption=alike_caption,
    groups=lambda inputs: (
        tasks_of(alike_rows(inputs), "similarity") or tasks_of(inputs.results, "similarity")
    ),
    quantities=[Quantity("tuned to original", alike_rows, around=[1.0], digits=2)],
    rev="metric",
    series=ALIKE_SERIES,
)


def layer_pairs(inputs: PageInputs) -> pd.DataFrame:
    """Debiased CKA of all pairs of layers of one state: ``group, measure, layer, other, value``."""
    rows = select(inputs.results, study="similarity", metric="cka_debiased")
    rows = rows[rows.other >= 0]
    parts = [
        found.assign(group=task, measure=state.label)
        for task in tasks_of(rows, "similarity")
        for state in STATES[1::-1]
        if len(found := select(rows, task=task, state=state.name))
    ]
    columns = ["group", "measure", "state", "layer", "other", "value"]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


LAYER_MAP = HeatMaps(
    "layer-map",
    "Which layers are like each other",
    axis="layer",
    reading="Each cell is the debiased linear CKA of two layers of one state over the same "
    "examples. A bright block is a run of layers that changes little; a dark edge is a step.",
    caption=layer_map_caption,
    groups=_tasks("similarity"),
    rows=layer_pairs,
    x="other",
    y="layer",
    scale="CKA",
    row_height=24,
    step=0.01,
    ends=(None, 1.0),
    digits=3,
)


def moved_rows(inputs: PageInputs) -> pd.DataFrame:
    """1 − debiased CKA of the tuned and the original layer, the mean over the tasks."""
    return over_tasks(
        select(alike_rows(inputs), metric="cka_debiased").assign(value=lambda rows: 1 - rows.value)
    )


ANSWER = answer(
    "answer-labels",
    "How far vectors moved",
    "Vectors: 1 − debiased CKA of the vectors of labelled examples before and after tuning.",
    Quantity("1 − CKA with pre-trained", moved_rows, around=[0.0], baseline=0.0, digits=2),
)


def finding(inputs: PageInputs) -> str:
    """Which layers move most and least, and in how many tasks a classifier clearly gains."""
    rows = moved_rows(inputs)
    if not len(rows):
        return ""
    far, near = most_and_least(rows)
    text = (
        f"Vectors: layer {far['layer']} moves most (1 − CKA {number(far['value'], 2)}, mean of the "
        f"tasks) and layer {near['layer']} least ({number(near['value'], 2)})"
    )
    changes = estimates_at_last(inputs.results, "classify", "gap", AFTER, classifier="mlp")
    if changes:
        before, random = (
            at_last(inputs.results, "classify", "accuracy", state, classifier="mlp")
            for state in (BEFORE, "random")
        )
        rise = f"{sum(one.low > 0 for one in changes.values())} of {len(changes)} tasks"
        ends, parts = sorted(changes, key=lambda task: changes[task].value), []
        for task in dict.fromkeys([ends[0], ends[-1]]):
            below = ", where pre-trained lies below random weights"
            named = inputs.label(task) + below * (before.get(task, nan) < random.get(task, nan))
            parts.append(f"{bounded(*changes[task], sign=True)} points ({named})")
        text += f"; the accuracy of the MLP at the last layer clearly rises in {rise}: "
        text += " to ".join(parts)
    return f"{text}."


# tables


def _ours(inputs: PageInputs, lines: Sequence[Line]) -> Rows:
    return Rows(f"This run, {inputs.encoder}", True, lines)


def _theirs(cells: Callable[..., list[CellLike]], needed: str) -> list[Rows]:
    """What the paper prints of the tasks that have a number: `cells` of the numbers of each."""
    return [
        Rows(
            f"{ZHOU}, {encoder}",
            False,
            [(t, cells(**of)) for t, of in tasks.items() if needed in of],
        )
        for encoder, tasks in PUBLISHED["tasks"].items()
    ]


def _pair(
    inputs: PageInputs, study: str, task: str, metric: str, **facets: Any
) -> tuple[float, float]:
    """Before and after tuning, at the last layer of the run."""
    layer = deepest(inputs.results)
    before, after = (
        inputs.evidence.find(study, task, state, metric, layer, **facets).value
        for state in (BEFORE, AFTER)
    )
    return before, after


def baselines(inputs: PageInputs, task: str) -> tuple[float, float]:
    """Accuracy of the largest class, and of the MLP on a random encoder at the last layer."""
    majority = select(inputs.results, study="classify", task=task, metric="majority").value
    random = at_last(inputs.results, "classify", "accuracy", "random", classifier="mlp")
    return (float(majority.iloc[0]) if len(majority) else nan, random.get(task, nan))


def gain(value: float, others: Sequence[float]) -> float:
    """The value minus the best of the others that were measured; NaN without any.

    >>> gain(72.5, [18.3, float("nan"), 61.5])
    11.0
    """
    known = [other for other in others if isfinite(other)]
    return value - max(known) if known else nan


def accuracy_table(inputs: PageInputs) -> ScoreTable:
    """Accuracy and clusters at the last layer, before and after, beside the baselines."""
    ours: list[Line] = [
        (inputs.label(task), _accuracy_cells(inputs, task))
        for task in tasks_of(inputs.results, "classify", "geometry")
    ]

    def theirs(
        accuracy: Sequence[float], clusters: Sequence[float] = (nan, nan), **_: Any
    ) -> list[CellLike]:
        counts = (Cell(value, digits=0) for value in clusters)
        return [NOTHING, NOTHING, *_with_change(*accuracy), *counts, NOTHING]

    return ScoreTable(
        "accuracies",
        "Tables 2, 3 and 7 of Zhou & Srikumar 2022",
        "Accuracy and clusters at the last layer",
        "Accuracy of the MLP in percent with its standard deviation, and clusters of DirectProbe, "
        f"before and after tuning, beside {ZHOU}",
        [("Baselines, %", 2), ("Accuracy, %", 3), ("Clusters", 3)],
        ["majority", "random", "before", "after", "gain", "before", "after", "labels"],
        [_ours(inputs, ours), *_theirs(theirs, "accuracy")],
        [
            "The gain of this run is over the best of the largest class, the random encoder and "
            "the encoder before tuning; that of the paper, which prints no baselines, over the "
            "encoder before tuning. ± is the standard deviation over initialisations of the "
            "classifier. The "
            "paper’s accuracies are those of other encoders on other corpora: a reference, not a "
            "target. Where no clusters are quoted (–), its space was linear before tuning too, or "
            "the number is not printed; its counts above the labels very probably come from an "
            "older loop that stopped early."
        ],
        []
        if ours
        else ["neither ‘classify’ nor ‘geometry’ has run; only published rows are shown"],
        clusters_caption(inputs),
    )


def _accuracy_cells(inputs: PageInputs, task: str) -> list[CellLike]:
    before, after = _pair(inputs, "classify", task, "accuracy", classifier="mlp")
    spreads = _pair(inputs, "classify", task, "std", classifier="mlp")
    clusters = _pair(inputs, "geometry", task, "n_clusters")
    layer, known = deepest(inputs.results), baselines(inputs, task)
    labels = inputs.evidence.find("geometry", task, AFTER, "n_labels", layer).value
    return [
        *map(Cell, known),
        *map(_with_spread, (before, after), spreads),
        Cell(gain(after, [*known, before]), signed=True),
        *(Cell(value, digits=0) for value in (*clusters, labels)),
    ]


def _with_spread(value: float, spread: float) -> CellLike:
    known = isfinite(value) and isfinite(spread)
    return f"{number(value)} ± {number(spread)}" if known else Cell(value)


def controls_table(inputs: PageInputs) -> ScoreTable:
    """Selectivity and codelength at the last layer, before and after."""
    digits = {"control_accuracy": 1, "selectivity": 1, "codelength": 2, "compression": 2}
    lines: list[Line] = []
    for task in tasks_of(inputs.results, "classify"):
        cells = [
            Cell(value, digits=places)
            for metric, places in digits.items()
            for value in _pair(inputs, "classify", task, metric, classifier="mlp")
        ]
        if any(isfinite(cell.value) for cell in cells):
            lines.append((inputs.label(task), [*cells]))
    return ScoreTable(
        "controls",
        "Control",
        "Is it the space, or the classifier?",
        "Control accuracy, selectivity, codelength and compression before and after tuning",
        [
            ("Control labels, %", 2),
            ("Selectivity, points", 2),
            ("Bits per example", 2),
            ("Compression, times", 2),
        ],
        ["before", "after"] * 4,
        [_ours(inputs, lines)],
        [
            "The MLP at the last layer. Control labels are drawn at random for every word type "
            "(Hewitt & Liang 2019); selectivity is the accuracy minus that on them. Codelength is "
            "what the training labels cost someone who has the vectors and learns as they come "
            "(Voita & Titov 2020); compression is how many times shorter that is than without "
            "vectors. Whole texts have no word type, so no control labels."
        ],
        [] if lines else ["neither control labels nor codelength were measured"],
        controls_caption(inputs),
    )


def similarity_table(inputs: PageInputs) -> ScoreTable:
    """Spatial similarity of train to test at the last layer."""
    ours: list[Line] = []
    for task in tasks_of(inputs.results, "similarity"):
        pair, below = (
            _pair(inputs, "similarity", task, metric, **TRAIN_TEST)
            for metric in ("spatial_similarity", "split_deficit")
        )
        if any(map(isfinite, pair)):
            cells = [*_with_change(*pair), *(Cell(one, digits=2) for one in below)]
            ours.append((inputs.label(task), cells))

    def theirs(similarity: Sequence[float], **_: Any) -> list[CellLike]:
        return [*_with_change(*similarity), NOTHING, NOTHING]

    return ScoreTable(
        "train-test",
        "Tables 2 and 7 of Zhou & Srikumar 2022",
        "Train against test at the last layer",
        f"Spatial similarity of training to test examples before and after, beside {ZHOU}",
        [("Similarity of train to test", 3), ("Below random splits", 2)],
        ["before", "after", "change", "before", "after"],
        [_ours(inputs, ours), *_theirs(theirs, "similarity")],
        [
            "Labels that one of the two sets lacks take no part. Two parts of one set are not "
            "fully alike either: the last columns are the mean similarity of random splits of the "
            "same texts less that of train and test."
        ],
        [] if ours else ["no linear train and test space were compared"],
        said=train_test_said(inputs),
    )


def _with_change(before: float, after: float) -> list[CellLike]:
    change = Cell(after - before, digits=2, signed=True)
    return [Cell(before, digits=2), Cell(after, digits=2), change]


def cross_table(inputs: PageInputs) -> ScoreTable:
    """One task probed after tuning on others."""
    found = cross_tasks(inputs.results)
    groups = []
    for task in dict.fromkeys(row.task for row in found):
        of_task = [row for row in found if row.task == task]
        before = inputs.evidence.find(
            "cross-task", task, BEFORE, "accuracy", of_task[0].layer, classifier="mlp"
        )
        lines: list[Line] = [("not tuned", [NOTHING, NOTHING, NOTHING, Cell(before.value)])]
        for row in of_task:
            cells = _cross_cells(row.rose, row.fell, row.change, row.accuracy, digits=1)
            lines.append((inputs.label(row.tuned_on), cells))
        groups.append(
            Rows(f"This run, {inputs.encoder} probed on {inputs.label(task)}", True, lines)
        )
    theirs: list[Line] = [
        (task, _cross_cells(*numbers, digits=2))
        for task, numbers in PUBLISHED["cross_task"].items()
    ]
    groups.append(Rows(f"{ZHOU}, BERT-base probed on PS-fxn", False, theirs))
    return ScoreTable(
        "cross-task",
        "Table 5 of Zhou & Srikumar 2022",
        "Tuned on one task, probed on another",
        f"Labels whose smallest distance rose or fell, mean change and accuracy, beside {ZHOU}",
        [("Smallest distances", 3), ("Classifier", 1)],
        ["rose", "fell", "mean change", "accuracy, %"],
        groups,
        ["Rows name the task that the encoder was tuned on; all at the last layer."],
        [] if found else ["the study ‘cross-task’ has not run; only the published rows are shown"],
        said=" ".join(
            f"Tuned on {inputs.label(row.tuned_on)}, {row.rose} of {row.rose + row.fell} labels of "
            f"{inputs.label(row.task)} rise."
            for row in found
        ),
    )


def _cross_cells(
    rose: int, fell: int, change: float, accuracy: float, *, digits: int
) -> list[CellLike]:
    counts = [Cell(value, digits=0) for value in (rose, fell)]
    return [*counts, Cell(change, digits=2, signed=True), Cell(accuracy, digits=digits)]


# headline


def _accuracy_name(key: str) -> str:
    return f"{key.removesuffix('-50').replace('-', '_')}_accuracy"


HEADLINE_UNITS = {
    **{_accuracy_name(key): PERCENT for key in TASKS},
    "linear_layers": "layers",
    "train_test_similarity": "correlation",
}


def headline(results: pd.DataFrame, focus: str) -> dict[str, Estimate]:
    """Estimates of the state `focus`.

    ``<task>_accuracy`` of the paper's tasks at the last layer, by the MLP, in percent, its
    interval over the initialisations of the classifier; ``linear_layers``, how many layers of all
    tasks need one cluster per label; and ``train_test_similarity``, the spatial similarity of train
    to test at the last layer, the mean over the tasks. Of two corpora with one kind of labels the
    first counts.
    """
    found: dict[str, Estimate] = {}
    accuracy = estimates_at_last(results, "classify", "accuracy", focus, classifier="mlp")
    for task in tasks_of(results, "classify"):
        if task_key(task) in TASKS and task in accuracy:
            found.setdefault(_accuracy_name(task_key(task)), accuracy[task])
    linear = select(results, study="geometry", metric="is_linear", state=focus)
    if len(linear):
        found["linear_layers"] = Estimate(float(linear.value.sum()))
    similar = at_last(results, "similarity", "spatial_similarity", focus, **TRAIN_TEST).values()
    if similar:
        found["train_test_similarity"] = Estimate(fmean(similar))
    return found


# text


def methods(_: PageInputs) -> str:
    """How the study measures."""
    return (
        "Each layer of each state is a space of labelled vectors: a word is the mean of its word "
        "pieces, a pair of words both vectors, a text its [CLS]. Classifiers are trained on the "
        "frozen vectors of the training examples (sizes and decay chosen on a held-out part) and "
        "scored on the test examples, each mean and standard deviation over several "
        "initialisations. DirectProbe trains nothing: it merges examples of a label as long as "
        "their convex hull meets no other label’s, and its distances are those between hulls. "
        "Spatial similarity is Pearson’s correlation of the label-pair distances of two spaces "
        "that are both linear."
    )


def notes(inputs: PageInputs) -> Iterator[str]:
    """How this run differs from the paper."""
    found = {task_key(task) for task in tasks_of(inputs.results)}
    if not found:
        yield "The geometry study has not run."
        return
    absent = [label for key, label in TASKS.items() if key not in found]
    if absent:
        yield f"The paper’s {'tasks' if len(absent) > 1 else 'task'} {listed(absent)} did not run."
    corpus = inputs.params.get("geometry", {}).get("corpus", "english")
    if corpus != "english":
        yield (
            "The paper takes its labels from UD English-PUD, STREUSLE 4.2 and TREC; this run takes "
            f"them from the corpus ‘{corpus}’."
        )


GEOMETRY = Study(
    "geometry",
    "Spaces of labels",
    "What does fine-tuning do to the places of labelled words and texts, layer by layer?",
    ZHOU,
    methods,
    notes,
    MEASURES,
    [
        CLASSIFIERS_FIGURE,
        accuracy_table,
        LINEAR_FIGURE,
        controls_table,
        CLUSTERS,
        DISTANCES,
        SPATIAL,
        similarity_table,
        ALIKE_FIGURE,
        LAYER_MAP,
        cross_table,
        step_figures,
    ],
    GEOMETRY_CLAIMS,
    headline,
    HEADLINE_UNITS,
    plots=[BOTH_CLASSIFIERS],
    shown=("classifiers", "alike"),
    answer=ANSWER,
    finding=finding,
    published=PUBLISHED,
)
