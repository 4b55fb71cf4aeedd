"""Verdicts follow from the numbers by the stated rule."""

import re
from fractions import Fraction
from math import isfinite

import numpy as np
import pandas as pd
import pytest
from made_up_results import made_up_results, usual_condition

from tuneprobe.claims import (
    FAILS,
    HOLDS,
    PARTLY,
    UNTESTED,
    Check,
    Claim,
    Evidence,
    judge,
)
from tuneprobe.collect.metrics import headline
from tuneprobe.formats.results import to_frame
from tuneprobe.page.registry import CLAIMS, judge_all
from tuneprobe.studies.pairwise.claims import PAIRWISE_CLAIMS
from tuneprobe.studies.pairwise.measures import PROBES
from tuneprobe.studies.pairwise.probe.results import pairwise_gaps, pairwise_results
from tuneprobe.studies.pairwise.probe.study import Ranking


def evidence(results: pd.DataFrame, layer_mark: float = 0.5) -> Evidence:
    return Evidence(results, layer_mark=layer_mark, margin=2.0, alpha=0.05)


def findings(results: pd.DataFrame) -> dict:
    found = judge_all(evidence(results))
    return {one.claim.name: one for one in found if one.claim in PAIRWISE_CLAIMS}


def claim_of(*outcomes: str) -> Claim:
    checks = [Check("synonyms", f"layer {n}", outcome, 1.0) for n, outcome in enumerate(outcomes)]
    return Claim("made-up", "nobody", "", "", "", "layers", lambda _: iter(checks))


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


def test_a_run_built_as_the_paper_says_makes_all_claims_hold(results):
    assert {finding.verdict for finding in findings(results).values()} == {HOLDS}
    checks = {name: len(finding.checks) for name, finding in findings(results).items()}
    assert checks == {"rise": 8, "early-layers": 15, "lexical": 12, "reading": 6}


def test_without_a_gain_the_fine_tuned_state_is_not_better():
    found = findings(made_up_results(gain=0.0))
    assert found["reading"].verdict == FAILS
    assert found["lexical"].verdict == HOLDS


def test_a_loss_after_the_mark_fails_the_claim_of_a_gain():
    assert findings(made_up_results(gain=-3.0))["reading"].verdict == FAILS


def test_a_falling_curve_fails_the_claim_that_curves_rise(results):
    trend = results.metric == "trend_eq3"
    falling = results.copy()
    falling.loc[trend, ["value", "low", "high"]] = (-0.9, -1.0, -0.5)
    assert findings(falling)["rise"].verdict == FAILS


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
    planted = (tiny.against == "pretrained") & tiny.metric.isin(["p", "p_holm"])
    tiny.loc[planted, "value"] = 0.001
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
    close.loc[p, "value"] = 0.008  # six checks: .048; with seven layers each it would be .28
    assert findings(close)["reading"].verdict == HOLDS
    close.loc[p, "value"] = 0.009
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
    assert {finding.reason for finding in found.values()} == {"the pairwise study is missing"}


def test_a_missing_probe_keeps_a_claim_from_holding(results):
    found = findings(results[results.task != "coreference"])
    assert found["reading"].verdict == PARTLY
    assert "no numbers for coreference" in found["reading"].reason
    assert found["lexical"].verdict == HOLDS


def test_the_layer_mark_is_the_papers_fifth_of_twelve_scaled_to_the_depth(results):
    assert evidence(results, Fraction(5, 12)).mark == 2
    assert evidence(results, Fraction(5, 12)).marked_layers == "layers 1–2 against 3–6"
    deep = results.assign(layer=results.layer.where(results.layer < 0, results.layer * 2))
    assert evidence(deep, Fraction(5, 12)).mark == 5


def test_every_claim_states_its_rule_and_a_source():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert claim.rule.endswith(".")
        assert re.fullmatch(r"\w+ .*\d{4} \([a-z]\)", claim.source)


def test_the_study_writes_every_number_that_the_claims_read():
    generator = np.random.default_rng(0)
    n, n_layers = 60, 5
    rankings = [
        Ranking(
            probe,
            usual_condition(probe),
            state,
            example=np.arange(n),
            count=generator.integers(0, 11, size=(n, n_layers)),
            n_neg=np.full(n, 10),
            para_len=np.full(n, 12),
        )
        for probe in PROBES
        for state in ("random", "pretrained", "finetuned")
    ]
    shared = {"encoder": "made-up", "seed": 1, "confidence": 0.95, "bootstrap": 50}
    gaps = pairwise_gaps(
        rankings,
        after="finetuned",
        before="pretrained",
        layer_mark=0.5,
        permutations=50,
        margin=2.0,
        **shared,
    )
    results = to_frame([*pairwise_results(rankings, **shared), *gaps])
    for claim in PAIRWISE_CLAIMS:
        finding = judge(claim, evidence(results, layer_mark=0.5))
        assert finding.checks
        for check in finding.checks:
            assert all(map(isfinite, (check.value, check.low, check.high))), check
    assert len([name for name in headline(results, "finetuned") if name.endswith("_last")]) == 5
