"""The geometry study on the page: its figures, tables, methods and deviations."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tuneprobe.claims import Evidence
from tuneprobe.collect.geometry import (
    TASKS,
    task_key,
    tasks_of,
)
from tuneprobe.collect.tables import select
from tuneprobe.report.blocks import Block, Figure, Study
from tuneprobe.report.geometry_figures import (
    alike_figure,
    classifiers_figure,
    clusters_figure,
    controls_figure,
    distances_figure,
    spatial_figure,
)
from tuneprobe.report.geometry_maps import layer_map_figure
from tuneprobe.report.geometry_tables import (
    accuracy_table,
    controls_table,
    cross_table,
    linearity_table,
    similarity_table,
)
from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.step_figures import step_figures
from tuneprobe.report.wording import listed

FIGURES: tuple[tuple[Callable[[Evidence, Mapping[str, Any]], Figure], str], ...] = (
    (classifiers_figure, "curves"),
    (controls_figure, "curves"),
    (clusters_figure, "curves"),
    (distances_figure, "curves"),
    (spatial_figure, "curves"),
    (alike_figure, "curves"),
    (layer_map_figure, "heat_map"),
)


def geometry_study(inputs: PageInputs) -> Study:
    """Figures, each followed by the tables that belong to it."""
    return Study(
        "geometry",
        "Spaces of labels",
        "What does fine-tuning do to the places of labelled words and texts, layer by layer?",
        list(_blocks(inputs)),
        "Each layer of each state is a space of labelled vectors: a word is the mean of its word "
        "pieces, a pair of words both vectors, a text its [CLS]. Classifiers are trained on the "
        "frozen vectors of the training examples (sizes and decay chosen on a held-out part) and "
        "scored on the test examples, each mean and standard deviation over several "
        "initialisations. DirectProbe trains nothing: it merges examples of a label as long as "
        "their convex hull meets no other label’s, and its distances are those between hulls. "
        "Spatial similarity is Pearson’s correlation of the label-pair distances of two spaces "
        "that are both linear.",
        list(_notes(inputs)),
    )


def _blocks(inputs: PageInputs) -> Iterator[Block]:
    evidence = inputs.evidence
    after = {
        "classifiers": [accuracy_table, controls_table],
        "clusters": [linearity_table],
        "spatial": [similarity_table],
    }
    for figure, template in FIGURES:
        drawn = figure(evidence, inputs.templates[template])
        if figure is controls_figure and not _has_curves(inputs):
            continue
        yield drawn
        for table in after.get(drawn.name, []):
            yield table(inputs)
    yield cross_table(inputs)
    yield from step_figures(inputs.tables, inputs.templates)


def _has_curves(inputs: PageInputs) -> bool:
    """Whether controls were measured at several layers: a curve; else their table says it all."""
    rows = select(inputs.results, study="classify", metric=["selectivity", "compression"])
    return rows.layer.nunique() > 1


def _notes(inputs: PageInputs) -> Iterator[str]:
    """What this run does otherwise than the paper."""
    found = {task_key(task) for task in tasks_of(inputs.results)}
    if not found:
        yield "The geometry study has not run."
        return
    absent = [label for key, label in TASKS.items() if key not in found]
    if absent:
        yield f"The paper’s {'tasks' if len(absent) > 1 else 'task'} {listed(absent)} did not run."
    settings = inputs.params.get("geometry", {})
    corpus = settings.get("corpus", "english")
    if corpus != "english":
        yield (
            "The paper takes its labels from UD English-PUD, STREUSLE 4.2 and TREC; this run takes "
            f"them from the corpus ‘{corpus}’."
        )
