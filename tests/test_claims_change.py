"""Verdicts about change follow from the numbers, and each can come out the other way."""

import pandas as pd
import pytest
from made_up_change import made_up_change

from tuneprobe.claims.verdicts import FAILS, HOLDS, UNTESTED, Evidence, Finding, judge
from tuneprobe.collect.seeds import mean_over_seeds
from tuneprobe.formats.results import to_frame
from tuneprobe.measures import check_measures
from tuneprobe.page.registry import all_measures
from tuneprobe.studies.change.claims import CHANGE_CLAIMS, begins


def verdicts(results: pd.DataFrame) -> dict[str, str]:
    evidence = Evidence(results, layer_mark=0.4, margin=2.0, alpha=0.05)
    return {claim.name: judge(claim, evidence).verdict for claim in CHANGE_CLAIMS}


def costing(change: float) -> pd.DataFrame:
    """Every layer costs as much as every other."""
    rows = made_up_change()
    chosen = (rows.metric == "layer_score_change") & (rows.state == "finetuned")
    bounds = {"value": change, "low": change - 0.5, "high": change + 0.5}
    for column, value in bounds.items():
        rows.loc[chosen, column] = value
    return rows


def test_the_made_up_run_is_judged_as_it_was_built() -> None:
    results = made_up_change()
    check_measures(results, all_measures())
    found = verdicts(results)
    assert found.pop("lora-intrudes") == UNTESTED  # nothing was tuned by a LoRA
    assert set(found.values()) == {HOLDS}
    assert len(CHANGE_CLAIMS) >= 10


@pytest.mark.parametrize(("intruders", "verdict"), [(40.0, HOLDS), (1.0, FAILS), (5.1, UNTESTED)])
def test_intruders_of_a_lora_are_judged_where_one_was_tuned(intruders, verdict) -> None:
    found = verdicts(made_up_change(lora=True, intruders=intruders))
    assert found["lora-intrudes"] == verdict
    assert found["few-intruders"] == UNTESTED


@pytest.mark.parametrize(
    ("claim", "results"),
    [
        ("upper-layers-carry", made_up_change(upper=-12, lower=9)),
        ("change-matters", made_up_change(sign=-1)),
        ("top-changes", made_up_change(sign=-1)),
        ("few-intruders", made_up_change(intruders=40)),
        ("low-rank", made_up_change(rank=0.9)),
        ("encoded-is-used", made_up_change(used=-20)),
        ("gained-is-used", made_up_change(used=-20)),
        ("one-basin", made_up_change(barrier=0.3)),
        ("own-words-carry", made_up_change(carried=-12)),
        ("seeds-one-basin", made_up_change(between=0.4)),
        ("upper-first", made_up_change(ahead=-0.2)),
    ],
)
def test_a_run_that_is_built_otherwise_fails_the_claim(claim: str, results: pd.DataFrame) -> None:
    assert verdicts(results)[claim] == FAILS


def layers_unequal(results: pd.DataFrame) -> Finding:
    evidence = Evidence(results, layer_mark=0.4, margin=2.0, alpha=0.05)
    return judge(next(one for one in CHANGE_CLAIMS if one.name == "layers-unequal"), evidence)


@pytest.mark.parametrize(("change", "passing"), [(0.0, "nothing"), (-9.0, "something")])
def test_layers_that_are_equal_fail_one_half_of_the_claim(change: float, passing: str) -> None:
    found = layers_unequal(costing(change))
    assert found.verdict == FAILS
    whats = [check.what for check in found.checks if check.outcome == "pass"]
    assert whats == [f"layer 1 costs {passing}"] * 3


def test_a_task_with_unequal_layers_passes_with_both_of_its_checks_and_counts_once() -> None:
    rows = made_up_change()
    found = layers_unequal(rows)
    assert (found.verdict, found.passed) == (HOLDS, "3 of 3 tasks pass")
    labels = [(check.subject, check.what) for check in found.checks]
    assert len(set(labels)) == len(labels) == 6
    change = (rows.metric == "layer_score_change") & (rows.state == "finetuned")
    for check in found.checks:  # as in the rows: only the outcome knows of the other checks
        assert check.high - check.low == pytest.approx(2)
    wide = change & (rows.task != "world-pos") & (rows.layer == 1)
    blurred = rows.assign(low=rows.low.where(~wide, -9.0))
    found = layers_unequal(blurred)
    assert (found.verdict, found.passed) == (UNTESTED, "1 of 3 tasks pass")


def test_one_step_at_which_lower_layers_matter_more_refutes_from_the_first_on() -> None:
    rows = made_up_change(ahead=0.02)  # undecided at every step
    assert verdicts(rows)["upper-first"] == UNTESTED
    one = (rows.metric == "upper_over_lower") & (rows.step == 1) & (rows.task == "world-pos")
    assert one.sum() == 1
    numbers = {"value": -0.3, "low": -0.35, "high": -0.25}
    refuted = rows.assign(**{name: rows[name].mask(one, new) for name, new in numbers.items()})
    assert verdicts(refuted)["upper-first"] == FAILS


@pytest.mark.parametrize(
    ("claim", "results"),
    [
        ("few-intruders", made_up_change(intruders=5.1)),
        ("few-intruders", made_up_change(random=1.0)),  # none could be seen
        ("lora-intrudes", made_up_change(random=1.0, lora=True)),
        ("low-rank", made_up_change(rank=0.5)),
        ("encoded-is-used", made_up_change(used=0.5)),
        ("gained-is-used", made_up_change(used=0.5)),
        ("gained-is-used", made_up_change(gain=-0.5)),  # nothing became easier to read
        ("one-basin", made_up_change(barrier=0.02)),
        ("own-words-carry", made_up_change(carried=0.5)),
        ("seeds-one-basin", made_up_change(between=0.02)),
        ("seeds-one-basin", made_up_change(control=-0.2)),  # none could be seen
        ("upper-first", made_up_change(ahead=0.02)),
    ],
)
def test_what_the_intervals_do_not_tell_is_not_decided(claim: str, results: pd.DataFrame) -> None:
    assert verdicts(results)[claim] == UNTESTED


def test_a_layer_matters_from_where_its_cost_stays_above_zero() -> None:
    evidence = Evidence(made_up_change(), layer_mark=0.4, margin=2.0, alpha=0.05)
    assert begins(evidence, "world-pos") == {1: 40, 2: 1, 3: 1, 4: 1}  # of layer 1 a dip at 8
    rows = made_up_change(ahead=-0.2)  # the upper layers cost nothing at all
    evidence = Evidence(rows, layer_mark=0.4, margin=2.0, alpha=0.05)
    assert begins(evidence, "world-pos") == {1: 40, 2: 1}
    assert begins(evidence, "world-rte") == {}


def test_every_claim_is_judged_in_each_seed_too() -> None:
    runs = [made_up_change(), made_up_change(used=-20, barrier=0.3, carried=-12, sign=-1)]
    runs = [run.assign(seed=seed) for run, seed in zip(runs, (13, 14), strict=True)]
    every = pd.concat(runs, ignore_index=True)
    evidence = Evidence(mean_over_seeds(every), 0.4, 2.0, 0.05, all_seeds=every)
    opposite = {"encoded-is-used", "gained-is-used", "one-basin", "own-words-carry"}
    opposite |= {"change-matters", "top-changes"}
    for claim in CHANGE_CLAIMS:
        found = judge(claim, evidence)
        if claim.name != "lora-intrudes":
            assert found.seeds == (HOLDS, FAILS if claim.name in opposite else HOLDS), claim.name


def test_an_empty_run_is_judged_without_error() -> None:
    assert set(verdicts(to_frame([])).values()) == {UNTESTED}
