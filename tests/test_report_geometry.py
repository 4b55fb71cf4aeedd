"""Labelled spaces on the page and in metrics: every number has its place, every gap its name."""

import re
from dataclasses import replace

import pandas as pd
import pytest
from conftest import EMPTY
from made_up_geometry import N_LAYERS, TASKS, accuracy, made_up_dynamics, made_up_spaces

from tuneprobe.collect.metrics import headline, plot_tables
from tuneprobe.formats.results import to_frame
from tuneprobe.page.blocks import Chapter, Figure, ScoreTable
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.marks import draw_heat_map, ramp
from tuneprobe.page.render import draw_figure, limits
from tuneprobe.studies.geometry.measures import cross_tasks, tasks_of
from tuneprobe.studies.geometry.page import GEOMETRY, gain, layer_pairs
from tuneprobe.wording import task_label


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return made_up_spaces()


@pytest.fixture(scope="module")
def inputs(page_inputs: PageInputs, results: pd.DataFrame) -> PageInputs:
    return replace(page_inputs, results=results, tables=made_up_dynamics())


@pytest.fixture(scope="module")
def study(inputs) -> Chapter:
    """The chapter with empty drawings; tests/test_report_figures.py looks at the drawn ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vl_convert.vegalite_to_svg", lambda *_, **__: EMPTY)
        return GEOMETRY.chapter(inputs)


def figures(study: Chapter) -> dict[str, Figure]:
    return {block.name: block for block in study.blocks if isinstance(block, Figure)}


def tables(study: Chapter) -> dict[str, ScoreTable]:
    return {block.name: block for block in study.blocks if isinstance(block, ScoreTable)}


def ours(table: ScoreTable) -> dict[str, list[str]]:
    return {
        label: [*map(str, cells)]
        for group in table.groups
        if group.ours
        for label, cells in group.rows
    }


def test_every_table_and_figure_of_the_paper_is_there(study):
    assert set(tables(study)) == {"accuracies", "controls", "train-test", "cross-task"}
    assert [name for name in figures(study) if not name.endswith("world-pos")] == [
        "classifiers",
        "linear-classifier",
        "clusters",
        "distances",
        "spatial",
        "alike",
        "layer-map",
    ]
    steps = [name for name in figures(study) if name.endswith("-world-pos")]
    assert steps == ["steps-world-pos", "kept-world-pos", "paths-world-pos", "moves-world-pos"]


def test_tables_show_our_numbers_and_the_papers(study):
    table = tables(study)["accuracies"]
    shown = ["24.0", "70.0", "92.0 ± 0.5", "95.0 ± 0.5", "+3.0", "140", "7", "7"]
    assert ours(table)["POS"] == shown
    published = {
        (group.heading[22:], label): [*map(str, cells)]
        for group in table.groups
        if not group.ours
        for label, cells in group.rows
    }
    assert published["BERT-tiny", "POS"] == ["–", "–", "90.76", "91.67", "+0.91", "3936", "20", "–"]
    assert published["BERT-small", "PS-fxn"][2:5] == ["86.26", "85.08", "−1.18"]
    assert len(published) == 15
    assert ours(tables(study)["train-test"])["DEP"] == ["0.95", "0.63", "−0.32", "0.02", "0.34"]


def test_the_cross_table_orders_tasks_from_own_to_unrelated(results, study):
    assert [task_label(row.tuned_on) for row in cross_tasks(results)] == [
        "PS-fxn",
        "PS-role",
        "POS",
    ]
    assert [row.related for row in cross_tasks(results)] == [True, True, False]
    lines = ours(tables(study)["cross-task"])
    assert lines["not tuned"] == ["–", "–", "–", "86.0"]
    assert lines["POS"] == ["0", "7", "−1.70", "81.0"]


@pytest.mark.usefixtures("undrawn")
def test_captions_are_written_from_the_numbers(inputs, study):
    found = figures(study)
    assert "more accurate after tuning in 5 of 5 tasks" in found["classifiers"].caption
    assert "20 of 25 before tuning and 23 of 25 after tuning" in found["clusters"].caption
    assert "POS 140 to 7" in found["clusters"].caption
    assert "4 of 6 (DEP)" in found["distances"].caption
    assert "at least 0.68 to the original" in found["spatial"].caption
    assert tables(study)["train-test"].said.startswith("At the last layer train and test are")
    spec = next(one for one in GEOMETRY.blocks if getattr(one, "name", "") == "classifiers")
    worse = draw_figure(spec, replace(inputs, results=made_up_spaces(gain=-1.0)))
    assert "more accurate after tuning in 0 of 5 tasks" in worse.caption


def test_the_first_screen_counts_the_tasks_that_clearly_gain_and_names_the_ends(inputs):
    rows = inputs.results
    last = rows[(rows.metric == "accuracy") & (rows.study == "classify") & (rows.layer == N_LAYERS)]
    last = last[last.classifier == "mlp"]
    gaps = last[last.state == "finetuned"].assign(metric="gap", against="pretrained")
    gaps["value"] = gaps.task.map(dict(zip(TASKS, (4.0, 1.0, 2.0, 3.0, 9.0), strict=True)))
    gaps = gaps.assign(low=gaps.value - 1.5, high=gaps.value + 1.5)
    collapsed = last[(last.state == "pretrained") & (last.task == TASKS[-1])].index
    rows = rows.assign(value=rows.value.mask(rows.index.isin(collapsed), 10.0))
    said = GEOMETRY.finding(replace(inputs, results=pd.concat([rows, gaps], ignore_index=True)))
    assert said.endswith(
        "clearly rises in 4 of 5 tasks: +1.0 [−0.5, +2.5] points (DEP) to +9.0 [+7.5, +10.5] "
        "points (TREC-50, where pre-trained lies below random weights)."
    )


def test_the_majority_stands_beside_every_accuracy(study):
    found = figures(study)
    panels = [found[name].panels[0] for name in ("classifiers", "linear-classifier")]
    assert [panel.measure for panel in panels] == ["MLP, majority 24.0", "linear, majority 24.0"]
    assert all("majority" in panel.measure for panel in panels)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("column", "names", "says"),
    [
        ("state", ["random"], "random encoder"),
        ("state", ["finetuned"], "fine-tuned"),
        ("task", ["world-dep"], "task DEP did not run"),
        ("study", ["classify"], "every number of this figure"),
        ("study", ["similarity"], "no linear train and test space were compared"),
        ("study", ["cross-task"], "the study ‘cross-task’ has not run"),
        ("study", ["classify", "geometry", "similarity", "cross-task"], "has not run"),
        ("metric", ["outside_min"], "to the nearest label"),
        ("metric", ["n_labels"], "every number of this figure"),
    ],
)
def test_what_is_missing_is_named(inputs, column, names, says):
    rows = inputs.results
    if column != "task":  # two tasks are drawn in half the time of five
        rows = rows[rows.task.isin(("world-pos", "world-ps-fxn"))]
    rest = rows[~rows[column].isin(names)]
    study = GEOMETRY.chapter(replace(inputs, results=rest))
    said = list(study.notes)
    for block in study.blocks:
        said += [*getattr(block, "missing", []), getattr(block, "caption", "")]
    assert says in " ".join(said)


@pytest.mark.usefixtures("undrawn")
def test_a_run_without_snapshots_or_rows_still_builds(inputs):
    study = GEOMETRY.chapter(replace(inputs, results=to_frame([]), tables={}))
    assert len(figures(study)) == 7  # no figure over steps
    assert "The geometry study has not run." in study.notes
    assert not re.search(r"(?<!=)\bnan\b", str(study.blocks))  # a cell's own NaN is shown as a dash


def test_labels_are_chosen_by_how_their_distance_changes_at_the_last_layer(study):
    figure = figures(study)["steps-world-pos"]
    assert [label for _, label in figure.legend] == ["VERB", "PROPN", "PRON", "ADJ", "ADP", "DET"]
    assert "5 of 7 labels are farther" in figure.caption
    assert "VERB gains most (+3.20), ADJ least (−0.64)" in figure.caption


def test_a_gain_is_over_the_best_of_what_was_measured_beside():
    assert gain(72.5, [18.3, 61.5, float("nan")]) == 11.0
    assert pd.isna(gain(72.5, []))


def test_headline_numbers_are_those_of_the_last_layer_of_the_focus(results):
    numbers = headline(results, "finetuned")
    assert numbers["pos_accuracy"] == accuracy("world-pos", "finetuned", N_LAYERS)
    assert numbers["trec_accuracy"] == accuracy("world-trec-50", "finetuned", N_LAYERS)
    assert numbers["linear_layers"] == 23
    assert numbers["train_test_similarity"] == pytest.approx(0.63)
    assert headline(results, "pretrained")["linear_layers"] == 20
    assert len(numbers) == 7


def test_plot_tables_have_a_panel_for_each_task_and_probe_in_the_papers_order(results):
    found = plot_tables(results, "pretrained")
    panels = list(dict.fromkeys(found["accuracy"].panel))
    assert panels[:3] == ["POS · MLP", "POS · linear", "DEP · MLP"]
    assert len(panels) == 2 * len(TASKS)
    assert set(found["accuracy"].baseline) == {24, 25, 26, 27, 28}
    assert found["spatial"].panel.nunique() == 2 * len(TASKS)
    for name in ("accuracy", "spatial"):
        assert list(plot_tables(results.iloc[:0], "pretrained")[name].columns)


def test_tasks_are_called_as_in_the_paper_whatever_their_corpus():
    names = ("ewt-dep", "english-ps-fxn", "streusle-4.7-ps-role", "trec-50", "mrpc")
    assert [task_label(name) for name in names] == ["DEP", "PS-fxn", "PS-role", "TREC-50", "MRPC"]
    rows = made_up_spaces()
    assert tasks_of(rows, "classify") == list(TASKS)


def test_layer_pairs_are_a_whole_square(results):
    pairs = layer_pairs(PageInputs(results))
    pairs = pairs[(pairs.group == "world-pos") & (pairs.state == "pretrained")]
    square = pairs.pivot(index="layer", columns="other", values="value")
    assert square.shape == (N_LAYERS + 1, N_LAYERS + 1)
    assert (square.to_numpy().diagonal() == 1).all()


def test_axis_limits_are_round_and_hold_what_they_should():
    rows = pd.DataFrame({"value": [0.55, 0.9]})
    low, high = limits([rows], [1.0])
    assert (low, high) == (0.5, pytest.approx(1.05))
    assert limits([rows.iloc[:0]]) == (0.0, 1.0)
    flat = limits([pd.DataFrame({"value": [3.0]})])
    assert flat[0] < 3 < flat[1]


def test_a_diverging_map_is_paper_at_zero_and_two_hues_beyond(inputs):
    cells = [{"rev": "a", "panel": "p", "x": x, "y": 0, "value": x - 1.0} for x in range(3)]
    svg = draw_heat_map(
        inputs.templates["heat_map"],
        pd.DataFrame(cells),
        "three cells",
        x="x",
        y="y",
        domain=(-1, 1),
        diverging=True,
    )
    assert "var(--fifth" in svg
    assert "var(--fourth" in svg
    opacities = re.findall(r'fill-opacity="([\d.]+)"', svg)
    assert sorted(map(float, opacities)) == [0, 1, 1]
    assert ramp((-1, 1), diverging=True)[1] == "−1.00 to +1.00"
