"""Verdicts follow from the numbers by the stated rule."""

import re
from fractions import Fraction
from math import isfinite

import numpy as np
import pandas as pd
import pytest
from made_up_results import made_up_results, usual_condition

from tuneprobe.claims.verdicts import (
    FAILS,
    HOLDS,
    PARTLY,
    REFUTED,
    UNTESTED,
    Check,
    Claim,
    Evidence,
    judge,
)
from tuneprobe.collect.metrics import headline
from tuneprobe.formats.results import to_frame
from tuneprobe.page.page import ours
from tuneprobe.page.registry import CLAIMS, judge_all
from tuneprobe.studies.pairwise.claims import PAIRWISE_CLAIMS
from tuneprobe.studies.pairwise.measures import PAIR_PROBES, PROBES
from tuneprobe.studies.pairwise.probe.foreign import OTHER, OTHER_WORD, SAME_WORD
from tuneprobe.studies.pairwise.probe.results import pairwise_gaps, pairwise_results
from tuneprobe.studies.pairwise.probe.study import Ranking

COSINE = {"similarity": "cosine", "negatives": "words", "centred": 0, "axis_removed": 0}
EUCLIDEAN = {**COSINE, "similarity": "euclidean"}


def evidence(results: pd.DataFrame, layer_mark: float = 0.5) -> Evidence:
    return Evidence(results, layer_mark=layer_mark, margin=2.0, alpha=0.05)


def findings(results: pd.DataFrame) -> dict:
    found = judge_all(evidence(results))
    return {one.claim.name: one for one in found if one.claim in PAIRWISE_CLAIMS}


def claim_of(*outcomes: str, **kind: bool) -> Claim:
    """Two checks of each of several subjects, the second with a wider interval."""
    checks = [
        Check("synonyms" if n < 2 else f"probe {n // 2}", f"layer {n}", 1.0, -n, n + 1, outcome=one)
        for n, one in enumerate(outcomes)
    ]
    return Claim("made-up", "nobody", "", "", "", "layers", lambda _: iter(checks), None, **kind)


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return made_up_results(gain=3.0)


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (["pass"] * 3, HOLDS),
        (["pass", "pass", "undecided"], PARTLY),
        (["pass", "fail"], PARTLY),
        (["pass", "fail", "fail"], FAILS),
        (["fail"] * 2, FAILS),
        (["pass", "undecided", "undecided"], UNTESTED),
        (["pass", "fail", "undecided", "undecided"], PARTLY),
    ],
)
def test_the_verdict_follows_from_the_outcomes_alone(results, outcomes, verdict):
    assert judge(claim_of(*outcomes), evidence(results)).verdict == verdict


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (["pass"] * 3, HOLDS),
        (["pass", "pass", "undecided"], PARTLY),
        (["pass", "pass", "fail"], FAILS),
        (["fail", *["undecided"] * 9], FAILS),
        (["undecided"] * 3, UNTESTED),
    ],
)
def test_one_check_that_fails_refutes_a_universal_claim(results, outcomes, verdict):
    assert judge(claim_of(*outcomes, universal=True), evidence(results)).verdict == verdict


@pytest.mark.parametrize(
    ("outcomes", "verdict", "counted"),
    [
        (["pass"] * 4, HOLDS, "2 of 2 tasks pass"),
        (["pass", "undecided"] * 2, UNTESTED, "0 of 2 tasks pass"),
        (["pass", "pass", "fail", "pass"], PARTLY, "1 of 2 tasks pass"),
        (["pass", "fail"] * 2, FAILS, "0 of 2 tasks pass"),
    ],
)
def test_a_claim_may_be_counted_by_the_worst_check_of_each_task(
    results, outcomes, verdict, counted
):
    finding = judge(claim_of(*outcomes, by_subject=True), evidence(results))
    assert (finding.verdict, finding.passed) == (verdict, counted)
    assert ours(finding).startswith(f"{counted}; ")


def test_claims_of_every_one_say_so_and_no_others():
    universal = {claim.name for claim in CLAIMS if claim.universal}
    every = {"early-layers", "lexical", "harmful-heads", "heterogeneous", "upper-first"}
    assert universal == every
    assert {claim.name for claim in CLAIMS if claim.rule.endswith(REFUTED)} == every
    assert [claim.name for claim in CLAIMS if claim.by_subject] == ["layers-unequal"]


@pytest.mark.parametrize("claim", ["early-layers", "lexical"])
def test_one_layer_that_differs_refutes_equality_where_nothing_else_is_known(results, claim):
    blurred = changed(results, (0.4,), "equivalence_p", "specific", against="pretrained")
    assert findings(blurred)[claim].verdict == UNTESTED
    one = {"against": "pretrained", "task": "synonyms", "layer": 1}
    lost = changed(blurred, (-9.0, -10.0, -8.0), "gap", "specific", **one)
    found = findings(lost)[claim]
    assert found.verdict == FAILS
    assert [check.outcome for check in found.checks].count("fail") == 1


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("points", "+5.2 [+3.0, +7.1] points"),
        ("percent", "5.2 [3.0, 7.1] %"),
        ("nats", "+5.21 [+3.00, +7.10] nats"),
        ("fraction", "+5.21 [+3.00, +7.10]"),
        ("of 5 tasks", "5 [3, 7] of 5 tasks"),
    ],
)
def test_this_run_shows_a_plain_interval_and_its_unit(results, unit, shown):
    check = Check("synonyms", "layer 1", 5.21, 3.0, 7.1, unit)
    other = Check("synonyms", "layer 2", 1.0, -1.0, 3.0, unit)
    claim = Claim("made-up", "", "", "", "", "layers", lambda _: iter([check, other]))
    found = ours(judge(claim, evidence(results)))
    assert found == f"1 of 2 checks pass; {shown} (synonyms, layer 1)"


def test_a_run_built_as_the_paper_says_makes_all_claims_hold(results):
    assert {finding.verdict for finding in findings(results).values()} == {HOLDS}
    checks = {name: len(finding.checks) for name, finding in findings(results).items()}
    assert checks == {
        "rise": 8,
        "early-layers": 15,
        "lexical": 12,
        "reading": 8,
        "answers": 6,
        "measures": 8,
    }


def test_without_a_gain_the_fine_tuned_state_is_not_better():
    found = findings(made_up_results(gain=0.0))
    assert found["reading"].verdict == FAILS
    assert found["lexical"].verdict == HOLDS


def test_a_loss_after_the_mark_fails_the_claim_of_a_gain():
    assert findings(made_up_results(gain=-3.0))["reading"].verdict == FAILS


def changed(results, numbers, metric, part="", **keys) -> pd.DataFrame:
    """The results with other numbers in the rows of a metric, of a part and of some columns."""
    other = results.copy()
    rows = (other.metric == metric) & (other.part == part)
    for column, wanted in keys.items():
        rows &= other[column] == wanted
    assert rows.any()
    other.loc[rows, ["value", "low", "high"][: len(numbers)]] = numbers
    return other


@pytest.mark.parametrize(
    ("rise", "verdict"),
    [
        ((5.0, 3.0, 7.0), HOLDS),
        ((2.0, 1.0, 3.0), HOLDS),
        ((1.9, 1.0, 2.8), UNTESTED),  # above zero, but less than 2 points
        ((0.5, 0.2, 0.8), FAILS),
        ((5.0, -1.0, 11.0), UNTESTED),
        ((-7.0, -9.0, -5.0), FAILS),
    ],
)
def test_curves_rise_by_at_least_two_points_from_the_first_third_to_the_last(
    results, rise, verdict
):
    other = changed(results, rise, "rise_eq3", **COSINE)
    assert findings(other)["rise"].verdict == verdict


def test_a_curve_that_falls_in_the_last_layer_alone_has_not_risen_by_its_rank(results):
    # 89.9 ... 94.7, 68.1: the correlation with the layer is positive, the rise is not
    ranks = changed(results, (0.09, 0.02, 0.2), "trend_eq3")
    other = changed(ranks, (-5.0, -7.0, -3.0), "rise_eq3", **COSINE)
    assert findings(other)["rise"].verdict == FAILS


def test_a_loss_of_the_pair_in_every_layer_fails_equality_whatever_the_score_says(results):
    for name, probe in (("lexical", "synonyms"), ("early-layers", None)):
        where = {"against": "pretrained"} | ({"task": probe} if probe else {})
        lost = changed(results, (-9.0, -10.0, -8.0), "gap", "specific", **where)
        lost = changed(lost, (0.9,), "equivalence_p", "specific", **where)
        checks = [c for c in findings(lost)[name].checks if probe in (None, c.subject)]
        assert {check.outcome for check in checks} == {"fail"}
        if probe is None:
            assert findings(lost)[name].verdict == FAILS
        raw = changed(results, (-9.0, -10.0, -8.0), "gap", **where)
        raw = changed(raw, (0.9,), "equivalence_p", **where)
        assert findings(raw)[name].verdict == HOLDS


def test_the_question_word_of_an_answer_type_is_judged_by_itself(results):
    lost = changed(results, (-6.0, -7.0, -5.0), "gap", "type", against="pretrained")
    checks = {(c.subject, c.what): c.outcome for c in findings(lost)["reading"].checks}
    word = "answer-type: which question word"
    assert checks[word, "layer 6"] == "fail"
    assert checks["answer-type", "layer 6"] == "pass"


def test_a_loss_that_shrinks_is_no_gain_that_grows(results):
    lost = changed(
        results, (-6.0, -7.0, -5.0), "gap", "specific", task="coreference", against="pretrained"
    )
    checks = {c.what: c for c in findings(lost)["reading"].checks if c.subject == "coreference"}
    assert checks["growth"].value > 0
    assert checks["growth"].outcome == "fail"


def test_a_pair_that_fine_tuning_loses_fails_the_claim_of_a_gain_whatever_the_score_says(results):
    lost = results
    for part in ("specific", "type"):
        lost = changed(lost, (-9.0, -10.0, -8.0), "gap", part, against="pretrained")
        lost = changed(lost, (0.001,), "p", part, against="pretrained")
    assert findings(lost)["reading"].verdict == FAILS


@pytest.mark.parametrize(
    ("finetuned", "verdict"),
    [((60.0, 57.0, 63.0), HOLDS), ((0.5, 0.2, 0.8), FAILS), ((25.0, 5.0, 45.0), UNTESTED)],
)
def test_the_fine_tuned_model_answers_better(results, finetuned, verdict):
    other = results
    for metric in ("long_f1", "short_f1", "f1"):
        other = changed(other, finetuned, metric, study="evaluate", state="finetuned")
    assert findings(other)["answers"].verdict == verdict


def test_answers_are_compared_with_a_frozen_and_with_the_pretrained_encoder(results):
    checks = findings(results)["answers"].checks
    assert [(c.subject, c.what) for c in checks if c.subject == "long F1"] == [
        ("long F1", "over a frozen encoder"),
        ("long F1", "over pre-trained"),
    ]
    assert checks[0].value == pytest.approx(64.0 - 24.0)
    unread = findings(results[results.state != "frozen"])["answers"]
    assert [check.outcome for check in unread.checks] == ["undecided", "pass"] * 3


@pytest.mark.parametrize(
    ("euclidean", "verdict"),
    [
        ((0.0, -2.0, 2.0), HOLDS),
        ((20.0, 18.0, 22.0), HOLDS),  # the other way
        ((8.0, 7.9, 8.1), FAILS),
        ((8.0, 0.0, 16.0), UNTESTED),
    ],
)
def test_cosine_and_euclidean_distance_differ_in_trend(results, euclidean, verdict):
    narrow = changed(results, (8.0, 7.9, 8.1), "rise_eq3", **COSINE)
    other = changed(narrow, euclidean, "rise_eq3", **EUCLIDEAN)
    assert findings(other)["measures"].verdict == verdict


def test_the_absence_of_evidence_is_not_equality(results):
    blurred = results.copy()
    blurred.loc[
        (blurred.against == "pretrained") & (blurred.metric == "equivalence_p"), "value"
    ] = 0.4
    found = findings(blurred)["lexical"]
    assert found.verdict == UNTESTED
    assert {check.outcome for check in found.checks} == {"undecided"}


def test_a_difference_within_the_margin_counts_as_equal_even_if_significant(results):
    tiny = results.copy()
    tiny.loc[(tiny.against == "pretrained") & tiny.metric.isin(["p", "p_holm"]), "value"] = 0.001
    assert findings(tiny)["lexical"].verdict == HOLDS


@pytest.mark.parametrize(
    ("gap", "outcome"), [(1.0, "undecided"), (3.0, "undecided"), (5.0, "fail"), (-5.0, "fail")]
)
def test_equality_fails_only_where_the_interval_lies_wholly_outside(results, gap, outcome):
    other = results.copy()  # margin 2; the interval of one of twelve checks is 1.46 times as wide
    rows = (other.against == "pretrained") & (other.task == "synonyms")
    other.loc[rows & (other.metric == "gap"), ["value", "low", "high"]] = (
        gap,
        gap - 0.9,
        gap + 0.9,
    )
    other.loc[rows & other.metric.isin(["p", "p_holm"]), "value"] = 0.001
    other.loc[rows & (other.metric == "equivalence_p"), "value"] = 0.5
    checks = [c for c in findings(other)["lexical"].checks if c.subject == "synonyms"]
    assert {check.outcome for check in checks} == {outcome}


def test_holm_counts_the_checks_of_the_claim_alone(results):
    p = results.metric.isin(["p", "contrast_p"]) & (results.against == "pretrained")
    close = results.copy()
    close.loc[p, "value"] = 0.006  # eight checks: .048; with seven layers each it would be .34
    assert findings(close)["reading"].verdict == HOLDS
    close.loc[p, "value"] = 0.007
    assert {check.outcome for check in findings(close)["reading"].checks} == {"undecided"}


def test_too_few_examples_leave_equality_open(results):
    few = results.copy()
    few.loc[few.metric == "equivalence_p", "value"] = np.nan
    assert {check.outcome for check in findings(few)["lexical"].checks} == {"undecided"}


def test_a_missing_state_is_named(results):
    rest = results[~results.state.isin(["finetuned"])]
    for finding in findings(rest).values():
        assert finding.verdict == UNTESTED
        assert finding.reason == "the state finetuned is missing"


def test_an_empty_run_says_that_the_study_is_missing(results):
    found = findings(results.iloc[:0])
    assert {name: finding.reason for name, finding in found.items()} == {
        name: f"the {'evaluate' if name == 'answers' else 'pairwise'} study is missing"
        for name in found
    }


def test_a_missing_probe_keeps_a_claim_from_holding(results):
    found = findings(results[results.task != "coreference"])
    assert found["reading"].verdict == PARTLY
    assert "no numbers for coreference" in found["reading"].reason
    assert found["lexical"].verdict == HOLDS


def test_the_layer_mark_is_the_papers_fifth_of_twelve_scaled_to_the_depth(results):
    assert evidence(results, Fraction(5, 12)).mark == 2
    deep = results.assign(layer=results.layer.where(results.layer < 0, results.layer * 2))
    assert evidence(deep, Fraction(5, 12)).mark == 5


def test_every_claim_states_its_rule_and_a_source():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.rule.endswith(".")
        assert re.fullmatch(r"\w+ .*\d{4} \([a-z]\)", claim.source)


def kinds(probe: str) -> tuple[str, ...]:
    return (OTHER, SAME_WORD, OTHER_WORD) if probe == "answer-type" else (OTHER,)


def test_the_study_writes_every_number_that_the_claims_read():
    generator = np.random.default_rng(0)
    n, n_layers = 60, 5
    measured = [(probe, usual_condition(probe)) for probe in PROBES]
    measured += [(probe, "euclidean/words") for probe in PAIR_PROBES]
    rankings = [
        Ranking(
            probe,
            condition,
            state,
            example=np.arange(n),
            count=generator.integers(0, 11, size=(n, n_layers)),
            n_neg=np.full(n, 10),
            para_len=np.full(n, 12),
            foreign={kind: generator.uniform(0, 10, (n, n_layers)) for kind in kinds(probe)},
        )
        for probe, condition in measured
        for state in ("random", "pretrained", "finetuned")
    ]
    shared = {"encoder": "minilm-l6", "seed": 1, "confidence": 0.95, "bootstrap": 50}
    gaps = pairwise_gaps(
        rankings,
        after="finetuned",
        before="pretrained",
        layer_mark=0.5,
        permutations=50,
        margin=2.0,
        **shared,
    )
    answers = made_up_results()
    answers = answers[answers.study == "evaluate"]
    results = to_frame([*pairwise_results(rankings, **shared), *gaps])
    results = pd.concat([results, answers])
    for claim in PAIRWISE_CLAIMS:
        finding = judge(claim, evidence(results, layer_mark=0.5))
        assert finding.checks
        for check in finding.checks:
            assert all(map(isfinite, (check.value, check.low, check.high))), check
    assert len([name for name in headline(results, "finetuned") if name.endswith("_specific")]) == 5
