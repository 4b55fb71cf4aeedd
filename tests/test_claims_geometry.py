"""Verdicts about labelled spaces follow from the numbers by the stated rules."""

import pandas as pd
import pytest
from made_up_geometry import N_LAYERS, made_up_spaces

from tuneprobe.claims import FAILS, HOLDS, PARTLY, UNTESTED, Estimate, Evidence, judge
from tuneprobe.collect.estimates import difference
from tuneprobe.formats.results import to_frame
from tuneprobe.studies.geometry.claims import (
    GEOMETRY_CLAIMS,
    distance_changes,
    share_risen,
)


def findings(results: pd.DataFrame) -> dict:
    evidence = Evidence(results, layer_mark=0.5, margin=2.0, alpha=0.05)
    return {claim.name: judge(claim, evidence) for claim in GEOMETRY_CLAIMS}


def changed(results: pd.DataFrame, **columns: object) -> pd.DataFrame:
    """A copy with other numbers in the rows that `where` picks."""
    where = columns.pop("where")
    copy = results.copy()
    for name, value in columns.items():
        copy.loc[where, name] = value
    return copy


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return made_up_spaces(gain=3.0)


def test_the_made_up_run_is_judged_as_it_was_built(results):
    verdicts = {name: finding.verdict for name, finding in findings(results).items()}
    assert verdicts == {
        "accuracy": HOLDS,
        "train-test": HOLDS,
        "clusters": UNTESTED,  # four of five tasks are linear before tuning
        "distances": UNTESTED,  # seven labels that all rise are too few for one of five checks
        "related": PARTLY,  # six of seven labels do not exclude one half
        "structure": HOLDS,
    }


def test_a_gain_within_the_intervals_decides_nothing(results):
    finding = findings(made_up_spaces(gain=0.5))["accuracy"]
    assert finding.verdict == UNTESTED
    assert {check.outcome for check in finding.checks} == {"undecided"}
    assert findings(made_up_spaces(gain=-3.0))["accuracy"].verdict == FAILS


def test_without_intervals_the_sign_of_the_difference_decides():
    results = made_up_spaces(gain=0.5).assign(low=float("nan"), high=float("nan"))
    assert findings(results)["accuracy"].verdict == HOLDS


def test_the_interval_of_a_difference_joins_those_of_its_parts_at_right_angles():
    gap = difference(Estimate(95, 92, 99), Estimate(90, 87, 94))
    assert gap == Estimate(5, 5 - 5, 5 + 5)


def test_more_clusters_after_tuning_fail_the_claim_of_fewer(results):
    clusters = (results.metric == "n_clusters") & (results.layer == N_LAYERS)
    tasks = results.task.isin(["world-dep", "world-ps-role", "world-ps-fxn"])
    more = changed(results, where=clusters & tasks & (results.state == "finetuned"), value=50.0)
    assert findings(more)["clusters"].verdict == FAILS


def test_labels_are_compared_with_themselves_at_the_last_layer(results):
    evidence = Evidence(results, 0.5, 2.0, 0.05)
    changes = distance_changes(evidence, "world-dep")
    assert sorted(changes) == ["case", "det", "nsubj", "obj", "obl", "root"]
    assert [label for label, change in changes.items() if change < 0] == ["case", "obj"]
    assert changes["det"] == pytest.approx(0.3 * N_LAYERS)


def test_a_share_has_its_exact_interval_and_none_without_labels():
    half = share_risen(5, 10, 0.05)
    assert half.low == pytest.approx(18.7, abs=0.1)
    assert half.high == pytest.approx(81.3, abs=0.1)
    assert share_risen(0, 0, 0.05).value != share_risen(0, 0, 0.05).value


def test_an_unrelated_task_that_moves_labels_apart_fails_the_claim(results):
    cross = (results.study == "cross-task") & (results.tuned_on == "world-pos")
    apart = changed(results, where=cross & (results.metric == "n_increased"), value=7.0)
    apart = changed(apart, where=cross & (results.metric == "n_decreased"), value=0.0)
    outcomes = {
        (check.subject, check.what): check.outcome for check in findings(apart)["related"].checks
    }
    assert outcomes["PS-fxn tuned on POS", "labels farther"] == "fail"
    assert outcomes["PS-fxn tuned on POS", "accuracy"] == "pass"
    assert not any(subject == "PS-fxn tuned on PS-fxn" for subject, _ in outcomes)


def test_a_layer_below_one_half_has_lost_its_structure(results):
    similarity = (results.metric == "spatial_similarity") & (results.layer == N_LAYERS)
    original = similarity & (results.against == "pretrained")
    lost = changed(results, where=original & (results.task == "world-pos"), value=0.4)
    checks = findings(lost)["structure"].checks
    assert [check.subject for check in checks if check.outcome == "fail"] == ["POS"]


@pytest.mark.parametrize("study", ["classify", "geometry", "similarity", "cross-task"])
def test_a_study_that_did_not_run_leaves_its_claims_untested(results, study):
    found = findings(results[results.study != study])
    for claim in GEOMETRY_CLAIMS:
        if claim.study == study:
            assert found[claim.name].verdict == UNTESTED
            assert found[claim.name].reason == f"the {study} study is missing"


def test_an_empty_run_is_judged_without_error():
    found = findings(to_frame([]))
    assert {finding.verdict for finding in found.values()} == {UNTESTED}
