"""Tables 2, 3, 5 and 7 of Zhou & Srikumar 2022 beside ours, and the controls."""

from collections.abc import Mapping
from math import isfinite

from tuneprobe.claims import Evidence
from tuneprobe.collect.geometry import (
    AFTER,
    BEFORE,
    TRAIN_TEST,
    cross_tasks,
    deepest,
    task_label,
    tasks_of,
)
from tuneprobe.collect.tables import select
from tuneprobe.report.blocks import Rows, ScoreTable
from tuneprobe.report.charts import FINETUNED, PRETRAINED, RANDOM
from tuneprobe.report.geometry_published import TABLE_7, TABLES_2_AND_5
from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.wording import MISSING, number, signed

PAPER = "Zhou & Srikumar 2022"
Line = tuple[str, list[str]]  # label, cells


def accuracy_table(inputs: PageInputs) -> ScoreTable:
    """Table 2: accuracy and clusters at the last layer, before and after."""
    evidence = inputs.evidence
    ours = [
        (task_label(task), _accuracy_cells(evidence, task))
        for task in tasks_of(inputs.results, "classify", "geometry")
    ]
    published: dict[str, list[Line]] = {}
    for row in TABLES_2_AND_5:
        change = signed(row.accuracy[1] - row.accuracy[0], 2)
        cells = [*(number(value, 2) for value in row.accuracy), change]
        cells += [number(value, 0) for value in row.clusters] + [MISSING]
        published.setdefault(row.encoder, []).append((row.task, cells))
    return ScoreTable(
        "accuracies",
        "Table 2 of Zhou & Srikumar 2022",
        "Accuracy and clusters at the last layer",
        "Accuracy of the MLP in percent with its standard deviation, and clusters of DirectProbe, "
        f"before and after tuning, beside {PAPER}",
        [("Accuracy, %", 3), ("Clusters", 3)],
        ["before", "after", "change", "before", "after", "labels"],
        [_our_rows(inputs, ours), *_published_rows(published)],
        [
            "± is the standard deviation over initialisations of the classifier. The paper’s "
            "accuracies are those of other encoders on other corpora: a reference, not a target. "
            "Where no clusters are quoted (–), its space was linear before tuning too, or the "
            "number is not printed; its counts above the labels very probably come from an older "
            "loop that stopped early."
        ],
        []
        if ours
        else ["neither ‘classify’ nor ‘geometry’ has run; only published rows are shown"],
    )


def controls_table(inputs: PageInputs) -> ScoreTable:
    """Selectivity and codelength at the last layer, before and after."""
    metrics = ("control_accuracy", "selectivity", "codelength", "compression")
    lines = []
    for task in tasks_of(inputs.results, "classify"):
        pairs = [_pair(inputs.evidence, "classify", task, metric, "mlp") for metric in metrics]
        if any(isfinite(value) for pair in pairs for value in pair):
            digits = (1, 1, 2, 2)
            cells = [number(v, d) for pair, d in zip(pairs, digits) for v in pair]
            lines.append((task_label(task), cells))
    return ScoreTable(
        "controls",
        "Control",
        "Is it the space, or the classifier?",
        "Control accuracy, selectivity, codelength and compression before and after tuning",
        [
            ("Control labels, %", 2),
            ("Selectivity, points", 2),
            ("Bits an example", 2),
            ("Compression, times", 2),
        ],
        ["before", "after"] * 4,
        [_our_rows(inputs, lines)],
        [
            "The MLP at the last layer. Control labels are drawn at random for every word type "
            "(Hewitt & Liang 2019); selectivity is the accuracy less that on them. Codelength is "
            "what the training labels cost someone who has the vectors and learns as they come "
            "(Voita & Titov 2020); compression is how many times shorter that is than without "
            "vectors. Whole texts have no word type, so no control labels."
        ],
        [] if lines else ["neither control labels nor codelength were measured"],
    )


def linearity_table(inputs: PageInputs) -> ScoreTable:
    """Clusters layer by layer."""
    results = inputs.results
    rows = select(results, study="geometry", condition="")
    layers = range(deepest(results) + 1)
    groups = []
    for state in (PRETRAINED, FINETUNED, RANDOM):
        lines = []
        for task in tasks_of(results, "geometry"):
            cells = [_linearity(inputs.evidence, task, state.name, layer) for layer in layers]
            if any(cell != MISSING for cell in cells):
                lines.append((task_label(task), cells))
        if lines:
            groups.append(Rows(state.label[:1].upper() + state.label[1:], True, lines))
    return ScoreTable(
        "linearity",
        "Table 3 of Zhou & Srikumar 2022",
        "Linear or not, layer by layer",
        "Number of clusters of each task and state at each layer",
        [],
        [f"layer {layer}" for layer in layers],
        groups,
        ["‘linear’: one cluster a label. Otherwise the number of clusters."] if groups else [],
        [] if len(rows) else ["the study ‘geometry’ has not run"],
    )


def similarity_table(inputs: PageInputs) -> ScoreTable:
    """Table 5: spatial similarity of train to test at the last layer."""
    ours = []
    for task in tasks_of(inputs.results, "similarity"):
        pair = _pair(inputs.evidence, "similarity", task, "spatial_similarity", TRAIN_TEST)
        if any(map(isfinite, pair)):
            ours.append((task_label(task), _similarity_cells(pair)))
    published: dict[str, list[Line]] = {}
    for row in TABLES_2_AND_5:
        if isfinite(row.similarity[0]):
            cells = _similarity_cells(row.similarity)
            published.setdefault(row.encoder, []).append((row.task, cells))
    return ScoreTable(
        "train-test",
        "Table 5 of Zhou & Srikumar 2022",
        "Train against test at the last layer",
        f"Spatial similarity of training to test examples before and after, beside {PAPER}",
        [("Similarity of train to test", 3)],
        ["before", "after", "change"],
        [_our_rows(inputs, ours), *_published_rows(published)],
        ["Labels that one of the two sets lacks take no part."],
        [] if ours else ["no linear train and test space were compared"],
    )


def cross_table(inputs: PageInputs) -> ScoreTable:
    """Table 7: one task probed after tuning on others."""
    found = cross_tasks(inputs.results)
    groups = []
    for task in dict.fromkeys(row.task for row in found):
        of_task = [row for row in found if row.task == task]
        before = inputs.evidence.find(
            "cross-task", task, BEFORE, "accuracy", of_task[0].layer, "mlp"
        )
        lines: list[Line] = [("not tuned", [MISSING] * 3 + [number(before.value)])]
        for row in of_task:
            cells = _cross_cells(row.rose, row.fell, row.change, row.accuracy, digits=1)
            lines.append((task_label(row.tuned_on), cells))
        groups.append(Rows(f"This run, {inputs.encoder} probed on {task_label(task)}", True, lines))
    published = [(row.tuned_on, _cross_cells(*row[1:], digits=2)) for row in TABLE_7]
    groups.append(Rows(f"{PAPER}, BERT-base probed on PS-fxn", False, published))
    return ScoreTable(
        "cross-task",
        "Table 7 of Zhou & Srikumar 2022",
        "Tuned on one task, probed on another",
        f"Labels whose smallest distance rose or fell, mean change and accuracy, beside {PAPER}",
        [("Smallest distances", 3), ("Classifier", 1)],
        ["rose", "fell", "mean change", "accuracy, %"],
        groups,
        ["Rows name the task that the encoder was tuned on; all at the last layer."],
        [] if found else ["the study ‘cross-task’ has not run; only the published rows are shown"],
    )


def _cross_cells(rose: int, fell: int, change: float, accuracy: float, digits: int) -> list[str]:
    return [str(rose), str(fell), signed(change, 2), number(accuracy, digits)]


def _accuracy_cells(evidence: Evidence, task: str) -> list[str]:
    layer = deepest(evidence.results)
    accuracies = _pair(evidence, "classify", task, "accuracy", "mlp")
    spreads = _pair(evidence, "classify", task, "std", "mlp")
    clusters = _pair(evidence, "geometry", task, "n_clusters", "")
    labels = evidence.find("geometry", task, AFTER, "n_labels", layer).value
    return [
        *(_with_spread(value, spread) for value, spread in zip(accuracies, spreads)),
        signed(accuracies[1] - accuracies[0]),
        *(number(value, 0) for value in (*clusters, labels)),
    ]


def _pair(
    evidence: Evidence, study: str, task: str, metric: str, condition: str
) -> tuple[float, float]:
    """Before and after tuning, at the last layer."""
    layer = deepest(evidence.results)
    before, after = (
        evidence.find(study, task, state, metric, layer, condition).value
        for state in (BEFORE, AFTER)
    )
    return before, after


def _with_spread(value: float, spread: float) -> str:
    text = number(value)
    return f"{text} ± {number(spread)}" if isfinite(value) and isfinite(spread) else text


def _similarity_cells(pair: tuple[float, float]) -> list[str]:
    before, after = pair
    return [number(before, 2), number(after, 2), signed(after - before, 2)]


def _linearity(evidence: Evidence, task: str, state: str, layer: int) -> str:
    clusters, labels = (
        evidence.find("geometry", task, state, metric, layer).value
        for metric in ("n_clusters", "n_labels")
    )
    return "linear" if clusters == labels else number(clusters, 0)


def _published_rows(published: Mapping[str, list[Line]]) -> list[Rows]:
    return [Rows(f"{PAPER}, {encoder}", False, lines) for encoder, lines in published.items()]


def _our_rows(inputs: PageInputs, lines: list[Line]) -> Rows:
    return Rows(f"This run, {inputs.encoder}", True, lines)
