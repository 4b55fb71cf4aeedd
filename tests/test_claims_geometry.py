"""Verdicts about labelled spaces follow from the numbers by the stated rules."""

from collections.abc import Callable

import pandas as pd
import pytest
from made_up_geometry import N_LAYERS, made_up_spaces

from tuneprobe.claims.verdicts import FAILS, HOLDS, PARTLY, UNTESTED, Estimate, Evidence, judge
from tuneprobe.collect.estimates import difference
from tuneprobe.formats.results import to_frame
from tuneprobe.page.page import ours
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
        "distances": UNTESTED,  # seven labels that all rise are too few for one of ten checks
        "related": PARTLY,  # six of seven labels do not exclude one half
        "structure": HOLDS,
        "generalises": HOLDS,
        "not-monotone": HOLDS,
        "one-direction": HOLDS,
        "distance-and-accuracy": HOLDS,
        "closest-part": UNTESTED,  # one seed has no interval
    }


def swapped(results: pd.DataFrame, column: str, one: str, other: str, **keys) -> pd.DataFrame:
    """A copy in which two values of a column change places, in the rows with these keys."""
    where = pd.Series(True, index=results.index)
    for name, wanted in keys.items():
        where &= results[name] == wanted
    names = results[column].replace({one: other, other: one})
    return results.assign(**{column: names.where(where, results[column])})


def negated(results: pd.DataFrame, *metrics: str) -> pd.DataFrame:
    where = results.metric.isin(metrics)
    signs = {"value": -results.value, "low": -results.high, "high": -results.low}
    return results.assign(**{c: new.where(where, results[c]) for c, new in signs.items()})


def of_several_seeds(results: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of a metric have the interval that a mean over seeds has."""
    where = results.metric == metric
    return changed(results, where=where, low=results.value - 0.2, high=results.value + 0.2)


def many_labels(results: pd.DataFrame) -> pd.DataFrame:
    """Ten times as many labels with the same numbers, without those that do not move apart."""
    rows = results[results.task != "world-dep"]
    labelled = rows[rows.label != ""]
    more = [labelled.assign(label=labelled.label + f" {n}") for n in range(9)]
    rows = pd.concat([rows, *more], ignore_index=True)
    many = rows.metric.isin(["n_increased", "n_decreased"])
    return rows.assign(value=rows.value.where(~many, 10 * rows.value))


STATES = ("state", "pretrained", "finetuned")
TWO_DATA_SETS: dict[str, tuple[Callable, Callable]] = {  # claim: one that holds, one that fails
    "accuracy": (lambda r: r, lambda _: made_up_spaces(gain=-3.0)),
    "train-test": (lambda r: r, lambda r: swapped(r, *STATES, metric="split_deficit")),
    "clusters": (
        lambda r: r[r.task == "world-pos"],
        lambda r: swapped(r[r.task == "world-pos"], *STATES, metric="n_clusters"),
    ),
    "distances": (many_labels, lambda r: swapped(many_labels(r), *STATES, study="geometry")),
    "related": (
        many_labels,
        lambda r: swapped(many_labels(r), "tuned_on", "world-pos", "world-ps-role"),
    ),
    "structure": (
        lambda r: r,
        lambda r: changed(r, where=r.metric == "spatial_similarity", value=0.1 * r.layer),
    ),
    "generalises": (lambda r: r, lambda _: made_up_spaces(gain=-3.0)),
    "not-monotone": (lambda r: r, lambda r: changed(r, where=r.metric == "n_turning", value=6.0)),
    "one-direction": (lambda r: r, lambda r: negated(r, "direction")),
    "distance-and-accuracy": (lambda r: r, lambda r: negated(r, "gain_by_label", "gain_by_step")),
    "closest-part": (
        lambda r: of_several_seeds(r, "closest_parting"),
        lambda r: negated(of_several_seeds(r, "closest_parting"), "closest_parting"),
    ),
}


@pytest.mark.parametrize("claim", GEOMETRY_CLAIMS, ids=lambda claim: claim.name)
def test_every_claim_holds_of_one_run_and_fails_of_another(results, claim):
    that_holds, that_fails = TWO_DATA_SETS[claim.name]
    assert findings(that_holds(results))[claim.name].verdict == HOLDS
    assert findings(that_fails(results))[claim.name].verdict == FAILS


def test_an_exception_from_almost_all_tasks_is_named_and_a_second_one_counts(results):
    def lost(*tasks: str) -> pd.DataFrame:
        tuned = (results.study == "classify") & (results.state == "finetuned")
        tuned &= results.task.isin(tasks) & (results.metric == "accuracy")
        lower = {name: results[name] - 6 for name in ("value", "low", "high")}
        copy = results.copy()
        for name, value in lower.items():
            copy.loc[tuned, name] = value[tuned]
        return copy

    one = findings(lost("world-dep"))["accuracy"]
    assert one.verdict == HOLDS
    assert [check.what for check in one.checks] == ["rises, not in DEP"]
    assert ours(one) == "1 of 1 checks pass; 4 of 5 tasks (accuracy, rises, not in DEP)"
    assert findings(lost("world-dep", "world-pos"))["accuracy"].verdict == FAILS


@pytest.mark.parametrize("gain", [3.0, -3.0])
def test_fewer_than_five_tasks_do_not_tell_of_almost_all(gain):
    rows = made_up_spaces(gain=gain)
    tasks = sorted(rows[rows.study == "classify"].task.unique())
    for n, decided in ((1, False), (4, False), (5, True)):
        found = findings(rows[rows.task.isin(tasks[:n])])["accuracy"]
        assert found.verdict == ((HOLDS if gain > 0 else FAILS) if decided else UNTESTED)
        assert ours(found).split("; ")[1].startswith(f"{n if gain > 0 else 0} of {n} task")


def test_clusters_are_counted_in_the_highest_layer_that_was_not_linear(results):
    pos = results[results.task == "world-pos"]
    top = (pos.layer == N_LAYERS) & (pos.state == "pretrained")
    linear = changed(pos, where=top & (pos.metric == "is_linear"), value=1.0)
    (check,) = findings(linear)["clusters"].checks
    assert check.what == f"fewer, layer {N_LAYERS - 1}"
    assert check.value == 7 * 30 - 7


def test_a_correlation_over_the_tasks_needs_ten_of_them(results):
    spaces = results[results.study.isin(["geometry", "classify"])]
    tasks = []
    for number in range(10):
        one = spaces[spaces.task == "world-pos"].assign(task=f"task-{number}")
        tuned = one.state == "finetuned"
        moved = one.metric.isin(["accuracy", "outside_min"]) & tuned
        tasks.append(one.assign(value=one.value + number * moved))
    many = pd.concat([*tasks, results[results.study == "dynamics"]], ignore_index=True)
    checks = {c.what: c for c in findings(many)["distance-and-accuracy"].checks}
    assert checks["over tasks"].outcome == "pass"
    assert checks["over tasks"].value == pytest.approx(1)
    assert "over tasks" not in {
        check.what for check in findings(results)["distance-and-accuracy"].checks
    }


def test_a_gain_within_the_intervals_decides_nothing(results):
    finding = findings(made_up_spaces(gain=0.5))["accuracy"]
    assert finding.verdict == UNTESTED
    assert {check.outcome for check in finding.checks} == {"undecided"}


def test_without_intervals_the_sign_of_the_difference_decides():
    results = made_up_spaces(gain=0.5).assign(low=float("nan"), high=float("nan"))
    assert findings(results)["accuracy"].verdict == HOLDS


def test_the_interval_of_a_difference_joins_those_of_its_parts_at_right_angles():
    gap = difference(Estimate(95, 92, 99), Estimate(90, 87, 94))
    assert gap == Estimate(5, 5 - 5, 5 + 5)


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


@pytest.mark.parametrize("study", ["classify", "geometry", "similarity", "cross-task", "dynamics"])
def test_a_study_that_did_not_run_leaves_its_claims_untested(results, study):
    found = findings(results[results.study != study])
    for claim in GEOMETRY_CLAIMS:
        if claim.study == study:
            assert found[claim.name].verdict == UNTESTED
            assert found[claim.name].reason == f"the {study} study is missing"


def test_an_empty_run_is_judged_without_error():
    found = findings(to_frame([]))
    assert {finding.verdict for finding in found.values()} == {UNTESTED}
