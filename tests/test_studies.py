"""What every study keeps to: a table of checks, generated for each study that is registered."""

import re
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tuneprobe.claims.verdicts import Evidence, judge, read_claims
from tuneprobe.collect.metrics import MetricsError, headline, plot_entries, plot_tables
from tuneprobe.collect.seeds import mean_over_seeds, two_level
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.results import KEYS
from tuneprobe.measures import PERCENT, Measure, check_measures
from tuneprobe.page.blocks import Chapter, Figure, ScoreTable, Table
from tuneprobe.page.figures import Curves
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.registry import CLAIMS, STUDIES, all_measures, plotted
from tuneprobe.page.render import draw_figure, plot_table
from tuneprobe.page.study import Study, joined
from tuneprobe.studies.geometry import claims as geometry_claims
from tuneprobe.studies.geometry import page as geometry_page
from tuneprobe.studies.geometry.page import BOTH_CLASSIFIERS, GEOMETRY
from tuneprobe.studies.pairwise import page as pairwise_page

every_study = pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)


@pytest.fixture(scope="module")
def inputs(page_inputs: PageInputs) -> PageInputs:
    return page_inputs


@pytest.fixture(scope="module")
def chapters(page_chapters: list[Chapter]) -> dict[str, Chapter]:
    """Every study, by its name."""
    return dict(zip(STUDIES, page_chapters, strict=True))


def rows_of(study: Study, results: pd.DataFrame) -> pd.DataFrame:
    names = {measure.study for measure in study.measures}
    return results[results.study.isin(names)]


@every_study
def test_rows_are_unique_and_every_number_is_declared(study, inputs):
    rows = rows_of(study, inputs.results)
    assert not rows.duplicated(KEYS).any()
    declared = all_measures() if study.name == "pairwise" else study.measures
    own = rows[rows.study != "evaluate"]
    assert len(check_measures(own, declared)) > 0


@every_study
def test_every_measure_has_a_label_and_columns_that_exist(study):
    assert len({(one.study, one.name) for one in study.measures}) == len(study.measures)
    assert all(measure.label for measure in study.measures)


@every_study
def test_every_figure_has_a_caption_a_reading_and_a_named_drawing(study, chapters):
    for block in chapters[study.name].blocks:
        if isinstance(block, Figure):
            assert len(block.caption) > 30, block.name
            assert len(block.reading) > 60, block.name
            assert not block.missing, block.name
            assert block.table.rows
            for panel in block.panels:
                if panel.svg:
                    assert re.search(r'aria-label="[^"]{20,}"', panel.svg), block.name


@every_study
def test_every_claim_points_to_a_figure_or_table_and_states_rule_and_source(study, chapters):
    shown = {block.name for block in chapters[study.name].blocks}
    for claim in study.claims:
        assert claim.figure in shown, claim.name
        assert claim.rule.endswith(".")
        assert claim.published
        assert claim.source.rpartition(" (")[0] in study.paper
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)


@every_study
def test_published_numbers_stand_in_a_table_that_names_its_source(study, chapters, root):
    file = root / "src/tuneprobe/studies" / study.name / "published.yaml"
    if study.name == "change":  # its papers print figures, or numbers of language models
        assert not file.exists()
        return
    assert re.search(r"Tables? \d", file.read_text())
    assert yaml.safe_load(file.read_text())
    theirs = [
        block
        for block in chapters[study.name].blocks
        if isinstance(block, ScoreTable) and any(not group.ours for group in block.groups)
    ]
    assert theirs
    assert all(re.match(r"Tables? \d.* of \w+", block.number) for block in theirs)


@every_study
def test_what_is_open_from_the_start_is_a_block_of_the_study(study, chapters):
    chapter = chapters[study.name]
    assert 2 <= len(study.shown) <= 3
    assert [block.name for block in chapter.ordered[: len(study.shown)]] == list(study.shown)
    assert study.answer is not None


MOVED = {  # study: metric, facet that is empty, sign, and the words before the largest number
    "attention": (
        "map_similarity",
        ("head", -1),
        1,
        "those of layer {} change most (1 − cosine {:.2f})",
    ),
    "geometry": ("cka_debiased", ("other", -1), 1, "layer {} moves most (1 − CKA {:.2f}"),
    "change": ("layer_score_change", ("part", ""), 0, "layer {} costs {:.1f} points"),
}


@pytest.mark.parametrize("name", MOVED)
def test_the_first_screen_says_what_a_loop_over_the_rows_gives(name, inputs):
    metric, (facet, value), one, words = MOVED[name]
    found: dict[int, list[float]] = {}
    for row in inputs.results.to_dict("records"):
        of = row["study"], row["metric"], row["state"], row[facet]
        if of == ({"geometry": "similarity"}.get(name, name), metric, "finetuned", value):
            if one and row["against"] != "pretrained":
                continue
            found.setdefault(row["layer"], []).append(one - row["value"])
    means = {layer: sum(values) / len(values) for layer, values in found.items()}
    most = max(means, key=lambda layer: means[layer])
    assert words.format(most, means[most]) in STUDIES[name].finding(inputs)
    assert STUDIES[name].finding(replace(inputs, results=inputs.results.iloc[:0])) == ""


@every_study
def test_the_headline_has_the_names_that_the_study_lists(study, inputs):
    assert set(study.headline(inputs.results, "finetuned")) <= set(study.headline_units)
    assert study.headline(inputs.results.iloc[:0], "finetuned") == {}


@every_study
@pytest.mark.usefixtures("undrawn")
def test_a_study_without_rows_is_still_a_chapter_that_says_so(study, inputs):
    empty = PageInputs(inputs.results.iloc[:0])
    blocks = study.chapter(empty).blocks
    for block in blocks:
        if isinstance(block, Figure | ScoreTable):
            assert block.missing, block.name
    assert {claim.figure for claim in study.claims} <= {block.name for block in blocks}


def test_encoders_of_unlike_depth_share_a_table():
    shallow = Table(["task", "layer 0", "layer 1"], [["POS", "1", "2"]])
    deep = Table(["task", "layer 0", "layer 1", "layer 2"], [["POS, b", "3", "4", "5"]])
    both = joined(shallow, deep)
    assert both.head == deep.head
    assert both.rows == [["POS", "1", "2", ""], ["POS, b", "3", "4", "5"]]
    assert joined(Table(["task"], []), deep) == deep


def test_no_two_claims_have_the_same_letter_of_a_source():
    sources = [claim.source for claim in CLAIMS]
    assert len(set(sources)) == len(sources) > 40


def test_the_page_imports_of_a_study_its_page_its_claims_and_its_measures_alone(root):
    source = root / "src/tuneprobe"
    allowed = {"page", "claims", "measures", "steps", "captions", "example_figure"}
    for path in [
        *source.glob("page/*.py"),
        *source.glob("studies/*/*.py"),
        *source.glob("collect/*.py"),
    ]:
        if path.name == "study.py" and path.parent.parent.name == "studies":
            continue  # what a stage runs
        for study, module in re.findall(r"from tuneprobe\.studies\.(\w+)\.(\w+)", path.read_text()):
            assert module in allowed, f"{path.name} imports {study}.{module}"


def test_the_paper_tables_have_the_numbers_that_the_papers_give_them(chapters):
    numbers = {
        block.name: block.number
        for chapter in chapters.values()
        for block in chapter.blocks
        if isinstance(block, ScoreTable)
    }
    assert numbers["cross-task"] == "Table 5 of Zhou & Srikumar 2022"
    assert numbers["accuracies"] == "Tables 2, 3 and 7 of Zhou & Srikumar 2022"
    assert numbers["train-test"] == "Tables 2 and 7 of Zhou & Srikumar 2022"
    assert numbers["three-ways"] == "Table 1 of Kovaleva et al. 2019"


def test_dvc_yaml_draws_exactly_the_tables_that_figures_declare(root):
    assert yaml.safe_load((root / "dvc.yaml").read_text())["plots"] == plot_entries()


def test_a_plotted_table_has_the_numbers_of_its_figure(inputs):
    table = plot_tables(inputs.results, "finetuned")["accuracy"]
    rows = inputs.results
    rows = rows[(rows.study == "classify") & (rows.metric == "accuracy")]
    rows = rows[rows.state == "finetuned"]
    assert sorted(table.value) == sorted(rows.value)
    assert isinstance(BOTH_CLASSIFIERS, Curves)
    assert BOTH_CLASSIFIERS in plotted()


def recipe(root: Path, heading: str, names: dict[str, Any]) -> dict[str, Any]:
    """The names that a block of docs/extending.md defines, run among those of a module."""
    text = (root / "docs/extending.md").read_text()
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    [code] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    defined = dict(names)
    exec(code, defined)
    return defined


@pytest.mark.usefixtures("undrawn")
def test_the_recipe_of_a_figure_gives_a_drawing_its_data_and_an_entry_of_dvc_yaml(
    root, inputs, monkeypatch
):
    spec = recipe(root, "Add a figure", vars(geometry_page))["NEAREST"]
    figure = draw_figure(spec, inputs)
    assert [panel.ability for panel in figure.panels][:2] == ["POS", "DEP"]
    assert not figure.missing
    assert "POS · nearest cluster" in {row[0] for row in figure.table.rows}
    assert len(plot_table(spec, inputs, "finetuned"))
    grown = replace(GEOMETRY, blocks=[*GEOMETRY.blocks, spec])
    monkeypatch.setitem(STUDIES, "geometry", grown)
    assert "nearest" in {name for entry in plot_entries() for name in entry}


def test_the_recipe_of_a_claim_is_judged(root, inputs, tmp_path):
    section = (root / "docs/extending.md").read_text().partition("## Add a claim\n")[2]
    [entry] = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)[:1]
    (tmp_path / "claims.yaml").write_text(f"study: x\nstates: []\nclaims:\n{entry}")
    tests = recipe(root, "Add a claim", vars(geometry_claims))["TESTS"]
    (claim,) = read_claims(str(tmp_path / "claims.py"), tests)
    finding = judge(claim, inputs.evidence)
    assert finding.verdict == "holds"
    assert [check.subject for check in finding.checks][:2] == ["POS", "DEP"]


def test_a_claim_without_a_test_is_named(tmp_path):
    (tmp_path / "claims.yaml").write_text("study: x\nstates: []\nclaims: {rise: {}, fall: {}}\n")
    with pytest.raises(UnknownNameError, match="unknown claim 'fall'"):
        read_claims(str(tmp_path / "claims.py"), {"rise": (lambda _: iter(()), None)})


def test_an_unknown_metric_or_facet_is_answered_with_the_nearest(inputs):
    rows = inputs.results
    moved = rows.assign(metric=rows.metric.replace("accuracy", "acuracy"))
    with pytest.raises(UnknownNameError, match=r"unknown metric of the study .* Did you mean"):
        check_measures(moved, all_measures())
    with pytest.raises(UnknownNameError, match="unknown facet of 'majority' 'classifier'"):
        check_measures(
            rows.assign(classifier=rows.classifier.where(rows.metric != "majority", "mlp")),
            all_measures(),
        )
    with pytest.raises(UnknownNameError, match="Did you mean 'classifier'"):
        Measure("s", "m", "a measure", facets=("clasifier",))
    with pytest.raises(UnknownNameError, match="Did you mean 'classifier'"):
        Evidence(rows, 0.4, 2.0, 0.05).find("classify", "t", "random", "std", clasifier="mlp")


def test_rows_of_one_seed_stay_and_several_become_their_mean(inputs):
    rows = inputs.results[inputs.results.study == "classify"].reset_index(drop=True)
    assert mean_over_seeds(rows) is rows
    other = rows.assign(seed=14, value=rows.value + 2, low=rows.low + 2, high=rows.high + 2)
    found = mean_over_seeds(pd.concat([rows, other], ignore_index=True))
    assert len(found) == len(rows)
    first = found[found.metric == "accuracy"].iloc[0]
    assert first.value == rows[rows.metric == "accuracy"].value.iloc[0] + 1
    assert first.high - first.value > 0.6
    numbers = headline(pd.concat([rows, other]), "finetuned")
    assert numbers["pos_accuracy"] == headline(rows, "finetuned")["pos_accuracy"] + 1


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (-99.0, -81.0, "and falls in abbreviation (−90.0 [−99.0, −81.0] points) at the last"),
        (-99.0, 1.0, "and falls in none at the last"),
        (nan, nan, "and falls in none at the last"),
    ],
)
def test_pairs_are_said_to_rise_or_fall_by_their_interval_the_widest_first(inputs, low, high, says):
    rows = inputs.results.copy()
    gaps = (rows.study == "pairwise") & (rows.task == "abbreviation") & (rows.metric == "gap")
    rows.loc[gaps, ["value", "low", "high"]] = -90.0, low, high
    said = pairwise_page.finding(replace(inputs, results=rows))
    assert says in said
    assert re.search(r"of 5 abilities, .* clearly rises in (boundary|coreference) \(\+", said), said


def test_an_interval_over_seeds_ends_where_its_measure_does(inputs):
    rows = inputs.results[inputs.results.metric == "accuracy"].reset_index(drop=True).iloc[:1]
    high, low = (
        rows.assign(seed=seed, value=v, low=v - 1, high=100.0)
        for seed, v in ((13, 99.0), (14, 97.0))
    )
    both = pd.concat([high, low], ignore_index=True)
    wide, kept = mean_over_seeds(both).iloc[0], mean_over_seeds(both, all_measures()).iloc[0]
    assert wide.high > 105
    assert (kept.value, kept.low, kept.high) == (98, wide.low, 100)
    free = Measure(
        rows.study[0], "accuracy", "a share that may pass the whole", PERCENT, within=(0, np.inf)
    )
    assert mean_over_seeds(both, [free]).iloc[0].high == wide.high
    assert Measure("s", "m", "a number").range == (-np.inf, np.inf)


def test_seeds_alone_make_no_interval_where_the_examples_were_too_few_for_one(inputs):
    rows = inputs.results[inputs.results.metric == "accuracy"].reset_index(drop=True).iloc[:2]
    few = rows.assign(low=[nan, rows.low.iloc[1]], high=[nan, rows.high.iloc[1]])
    other = few.assign(seed=14, value=few.value + 2)
    found = mean_over_seeds(pd.concat([few, other], ignore_index=True))
    assert found.value.tolist() == (rows.value + 1).tolist()
    assert found.low.notna().tolist() == found.high.notna().tolist() == [False, True]
    never = pd.concat([few.iloc[:1], other.iloc[:1]], ignore_index=True)  # a metric without bounds
    assert np.isfinite(mean_over_seeds(never).low).all()


def test_the_interval_over_seeds_is_worked_out_by_hand():
    of = [10.0, 14.0, nan, 14.0, 3.0, 5.0], [7.0, 11.0, nan, 11.0, nan, nan]
    highs = [14.0, 18.0, nan, 18.0, nan, nan]  # s = √8, t(1) = 12.7062
    group = np.array([0, 0, 1, 1, 2, 2])
    numbers = (np.array(one) for one in (*of, highs))
    found = np.array(two_level(*numbers, group, np.full(3, 0.95))).T
    spread = 12.7062 * 8**0.5 / 2**0.5
    expected = (12, 12 - (9 + spread**2) ** 0.5, 12 + (16 + spread**2) ** 0.5)
    assert found[0] == pytest.approx(expected, rel=1e-4)
    assert np.isnan(found[1]).all()
    assert found[2] == pytest.approx((4, 4 - 12.7062, 4 + 12.7062), rel=1e-4)


@pytest.mark.usefixtures("undrawn")
def test_panels_and_rows_of_a_further_encoder_name_it(inputs, chapters):
    other = inputs.results.assign(encoder="bert-base", value=inputs.results.value + 1)
    both = replace(inputs, results=pd.concat([inputs.results, other], ignore_index=True))
    assert both.encoders == ["minilm-l6", "bert-base"]
    blocks = {block.name: block for block in STUDIES["geometry"].chapter(both).blocks}
    alone = {block.name: block for block in chapters["geometry"].blocks}
    abilities = [panel.ability for panel in blocks["clusters"].panels]
    assert abilities[0] == "POS"
    assert abilities[5] == "POS, bert-base"
    assert len(blocks["clusters"].table.rows) == 2 * len(alone["clusters"].table.rows)
    ours = [group.heading for group in blocks["accuracies"].groups if group.ours]
    assert ours == ["This run, minilm-l6", "This run, bert-base"]
    assert both.evidence.find("classify", "world-pos", "finetuned", "std", 4, classifier="mlp")
    assert set(both.evidence.results.encoder) == {"minilm-l6"}
    with pytest.raises(MetricsError, match="of 2 encoders"):
        headline(both.results, "finetuned")
