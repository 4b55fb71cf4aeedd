"""Headline numbers and plot tables: what `dvc exp show` and `dvc plots diff` compare."""

from math import isnan

import pandas as pd
import pytest
from made_up_attention import made_up_attention
from made_up_geometry import made_up_spaces
from made_up_results import auc, made_up_results

from tuneprobe.collect.estimates import Estimate, difference, mean
from tuneprobe.collect.metrics import (
    by_study,
    headline,
    headline_estimates,
    plot_tables,
    write_tables,
)
from tuneprobe.collect.tables import quick
from tuneprobe.errors import UnknownNameError
from tuneprobe.page.registry import STUDIES
from tuneprobe.states import NO_ENCODER, STATES
from tuneprobe.studies.pairwise.measures import PROBES


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return quick(made_up_results(gain=3.0))


@pytest.fixture(scope="module")
def tables(results) -> dict[str, pd.DataFrame]:
    return plot_tables(results, "finetuned")


def test_headline_numbers_are_those_of_the_last_layer_of_the_focus(results):
    numbers = headline(results, "finetuned")
    assert numbers["coreference_last"] == auc("coreference", "finetuned", 6, "cosine/words", 3.0)
    assert numbers["coreference_specific"] == 2 * 6 + 3 * 3  # and what is gained
    assert numbers["boundary_last"] == 62 + 12 + 9
    assert numbers["short_f1"] == 51.3
    assert headline(results, "pretrained")["short_f1"] == 2.4


def test_every_state_has_the_same_names(results):
    names = {state: set(headline(results, state)) for state in STATES}
    assert names["random"] == names["pretrained"] == names["finetuned"]


def test_the_headline_has_at_most_25_numbers_of_all_studies():
    assert sum(len(study.headline_units) for study in STUDIES.values()) <= 25


def test_no_name_contains_a_state_of_focus_an_encoder_or_a_corpus(results):
    for name in headline(results, "finetuned"):
        assert not any(word in name for word in ("finetuned", "minilm", "world")), name


def test_every_headline_number_belongs_to_a_study():
    results = pd.concat([made_up_results(), made_up_spaces(), made_up_attention()])
    names = set(headline(results, "finetuned"))
    grouped = by_study(names)
    assert "Other" not in grouped
    assert sorted(name for group in grouped.values() for name in group) == sorted(names)
    assert by_study(["f1", "else"]) == {"Pairs that reading needs": ["f1"], "Other": ["else"]}


def test_scores_without_an_encoder_are_of_no_state(results, tables):
    with_encoder = results[results.state != NO_ENCODER]
    assert len(with_encoder) < len(results)
    assert headline(results, "finetuned") == headline(with_encoder, "finetuned")
    without = plot_tables(with_encoder, "finetuned")
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, without[name])


def test_a_number_that_was_not_measured_is_left_out(results):
    partial = results[(results.study == "pairwise") & (results.state == "finetuned")]
    partial = partial[partial.task != "abbreviation"]
    numbers = headline(partial, "finetuned")
    assert "synonyms_last" in numbers
    assert not any(name.startswith("abbreviation") for name in numbers)
    assert not any("over" in name or name.endswith("f1") for name in numbers)


def test_an_unknown_focus_is_answered_with_the_nearest_state(results):
    with pytest.raises(UnknownNameError, match="Did you mean 'finetuned'"):
        headline(results, "fine-tuned")
    with pytest.raises(UnknownNameError, match="Available: finetuned, pretrained, random"):
        plot_tables(results, "frozen")


def test_panels_are_the_same_for_every_focus_but_their_values_are_not(results, tables):
    after, before = tables, plot_tables(results, "pretrained")
    for name in ("layers", "controls", "scores"):
        assert after[name].panel.tolist() == before[name].panel.tolist()
        assert not after[name].equals(before[name])
    assert after["gaps"].equals(before["gaps"])


def test_the_layers_table_holds_figure_1_five_probes_in_two_measures_at_all_layers(tables):
    layers = tables["layers"]
    assert layers.panel.nunique() == 2 * len(PROBES)
    assert (layers.groupby("panel").layer.agg(list).map(len) == 7).all()
    assert {"boundary · linear head", "boundary · QA head"} <= set(layers.panel)


def test_gaps_are_significant_where_holms_p_is_below_the_level(tables):
    gaps = tables["gaps"]
    significant = gaps[gaps.significant == "yes"]
    assert set(significant.layer) == {4, 5, 6}
    assert set(significant.panel) == {
        "coreference · cosine",
        "answer type · cosine",
        "boundary · linear head",
    }


def test_tables_of_an_empty_run_keep_their_columns(results):
    for table in plot_tables(results.iloc[:0], "finetuned").values():
        assert len(table) == 0
        assert "value" in table.columns


def test_the_order_of_the_rows_does_not_matter(results, tables):
    shuffled = results.sample(frac=1, random_state=1)
    assert headline(shuffled, "finetuned") == headline(results, "finetuned")
    for name, table in plot_tables(shuffled, "finetuned").items():
        pd.testing.assert_frame_equal(table, tables[name])


def test_numbers_have_six_significant_digits(results):
    moved = results.assign(value=results.value + 1 / 3)
    values = plot_tables(moved, "finetuned")["layers"].value
    assert all(float(f"{value:.6g}") == value for value in values)
    assert headline(moved, "finetuned")["synonyms_last"] == 86.3333


def test_tables_are_written_as_csv_that_reads_back(tables, tmp_path):
    write_tables(tables, tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == set(tables)
    read = pd.read_csv(tmp_path / "gaps.csv")
    pd.testing.assert_frame_equal(read, tables["gaps"], check_dtype=False)


def test_headline_numbers_have_the_intervals_of_their_rows(results, tables):
    found = headline_estimates(results, "finetuned")
    assert found["coreference_last"] == (76.0, 74.0, 78.0)
    assert found["coreference_specific"] == (21.0, 19.0, 23.0)
    table = tables["headline"].set_index("name")
    assert table.value.to_dict() == headline(results, "finetuned")
    assert tuple(table.loc["coreference_last"]) == (76.0, 74.0, 78.0)


def test_bounds_of_differences_and_means_follow_from_those_of_their_parts():
    one, other = Estimate(10, 7, 14), Estimate(4, 0, 7)
    assert difference(one, other) == pytest.approx((6, 6 - 18**0.5, 6 + 32**0.5))
    assert mean([one, other]) == pytest.approx((7, 7 - 5 / 2, 7 + 5 / 2))
    assert difference(one, one).low < 0
    assert isnan(mean([one, Estimate(4)]).low)
