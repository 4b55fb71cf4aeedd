"""The claims about heads: they hold where built so, and fail, or stay open, where not."""

from dataclasses import replace
from math import isclose, isfinite, nan

import numpy as np
import pandas as pd
import pytest
from made_up_attention import N_HEADS, N_LAYERS, STRONG, TASKS, made_up_attention

from tuneprobe.claims.verdicts import (
    FAILS,
    HOLDS,
    PARTLY,
    UNTESTED,
    Estimate,
    Evidence,
    judge,
    widened,
)
from tuneprobe.collect.estimates import difference
from tuneprobe.formats.results import to_frame
from tuneprobe.scores.label_scores import score_answers
from tuneprobe.studies.attention.claims import (
    ATTENTION_CLAIMS,
    last_layers,
    tukey_fence,
)
from tuneprobe.studies.attention.maps.study import Aggregation, HeadMeasures, attention_results
from tuneprobe.studies.attention.maps.token_types import TYPES
from tuneprobe.studies.attention.maps.word_pairs import PairWeights, pair_results
from tuneprobe.studies.attention.patterns.study import (
    Setting,
    agreement_results,
    pattern_results,
)

STATES = ("pretrained", "finetuned")


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return made_up_attention()


def findings(results: pd.DataFrame) -> dict:
    evidence = Evidence(results, layer_mark=0.5, margin=2.0, alpha=0.05)
    return {claim.name: judge(claim, evidence) for claim in ATTENTION_CLAIMS}


def shifted(results: pd.DataFrame, by: float, **keys) -> pd.DataFrame:
    """A copy whose rows with these keys, and their bounds, are moved."""
    moved = results.copy()
    chosen = pd.Series(True, index=moved.index)
    for column, wanted in keys.items():
        chosen &= moved[column] == wanted
    assert chosen.any()
    moved.loc[chosen, ["value", "low", "high"]] += by
    return moved


def test_a_run_built_as_the_paper_says_makes_all_claims_hold(results):
    found = findings(results)
    assert {name: finding.verdict for name, finding in found.items()} == dict.fromkeys(found, HOLDS)
    n = len(TASKS)
    assert {name: len(finding.checks) for name, finding in found.items()} == {
        "last-layers-change": n,
        "cls-then-sep": 2 * n,
        "heterogeneous": n,
        "average-head": 2 * n,
        "harmful-heads": n,
        "harmful-layers": n,
        "pre-training": n,
        "random-tuned": n,
        "frame-heads": 2,
        "dependency-heads": 2,
        "vertical-third": n,
        "vertical-rises": n,
        "most-maps-stay": n,
        "frame-heads-ablated": 2 * n,
        "idle-heads": n,
        "several-heads": n,
    }


def weak(results: pd.DataFrame, relation: str) -> pd.DataFrame:
    """The two heads that link a relation fall below all others."""
    for layer, head in STRONG:
        where = {"layer": layer, "head": head, "direction": "from-to", "relation": relation}
        results = shifted(results, -0.4, metric="pair_excess", **where)
    return results


FAILING: dict[str, tuple[float, dict]] = {  # claim: what is moved by how much makes it fail
    "last-layers-change": (-0.6, {"metric": "map_similarity", "layer": 1, "head": -1}),
    "heterogeneous": (0.3, {"pattern": "heterogeneous", "classifier": "corrected"}),
    "harmful-heads": (-4.0, {"metric": "largest_accuracy_change"}),
    "harmful-layers": (-4.0, {"metric": "largest_accuracy_change"}),
    "pre-training": (
        30.0,
        {"study": "evaluate", "state": "random-finetuned", "metric": "accuracy"},
    ),
    "random-tuned": (-30.0, {"study": "evaluate", "metric": "accuracy"}),
    "vertical-third": (-0.3, {"pattern": "vertical", "classifier": "corrected"}),
    "vertical-rises": (-0.2, {"metric": "pattern_change", "pattern": "vertical"}),
    "most-maps-stay": (-0.5, {"metric": "map_similarity"}),
    "frame-heads-ablated": (-9.0, {"metric": "accuracy_change", "ablation": "uniform"}),
    "idle-heads": (-9.0, {"metric": "accuracy_change", "ablation": "uniform"}),
    "several-heads": (-9.0, {"metric": "accuracy_change", "ablation": "pruned"}),
}


def that_fails(results: pd.DataFrame, claim: str) -> pd.DataFrame:
    """A run of which a claim does not hold."""
    if claim == "average-head":
        fallen = shifted(results, -2.0, metric="mean_accuracy_change")
        return shifted(fallen, 0.2, metric="mean_loss_change")
    if claim == "cls-then-sep":
        late = results.layer > N_LAYERS / 2
        for kind, by in (("cls", 0.6), ("sep", -0.6)):
            where = late & (results.metric == "share") & (results.token_type == kind)
            columns = ["value", "low", "high"]
            results = results.copy()
            results.loc[where, columns] = results.loc[where, columns] + by
        return results
    if claim in ("frame-heads", "dependency-heads"):
        every = shifted(results, 0.0, metric="pair_excess")
        level = (every.metric == "pair_excess") & (every.state == "pretrained")
        every.loc[level, ["value", "low", "high"]] = [0.05, 0.0499, 0.0501]
        spread = level & (every["head"] % 2 == 0)  # quartiles apart: the fence lies far above all
        every.loc[spread, ["value", "low", "high"]] = [0.01, 0.0099, 0.0101]
        return every
    by, keys = FAILING[claim]
    return shifted(results, by, **keys)


@pytest.mark.parametrize("claim", ATTENTION_CLAIMS, ids=lambda claim: claim.name)
def test_every_claim_holds_of_one_run_and_fails_of_another(results, claim):
    evidence = Evidence(results, layer_mark=0.5, margin=2.0, alpha=0.05)
    assert judge(claim, evidence).verdict == HOLDS
    failed = replace(evidence, results=that_fails(results, claim.name))
    assert judge(claim, failed).verdict == FAILS


def test_shares_that_no_labelled_map_corrects_leave_their_claims_untested(results):
    found = findings(results[results.classifier != "corrected"])
    assert {found[name].verdict for name in ("heterogeneous", "vertical-third")} == {UNTESTED}
    assert found["vertical-rises"].verdict == HOLDS


def test_without_frames_their_claims_are_untested_and_dependencies_are_not(results):
    found = findings(results[results.relation != "core-element"])
    names = ("frame-heads", "frame-heads-ablated", "dependency-heads")
    assert [found[name].verdict for name in names] == [UNTESTED, UNTESTED, HOLDS]


def test_heads_pruned_at_random_take_no_part_and_a_fifth_is_counted_down(results):
    lost = shifted(results, -90.0, metric="accuracy_change", ablation="pruned-at-random")
    lost = shifted(lost, -90.0, metric="accuracy_change", ablation="pruned", step=29)
    (check, _) = findings(lost)["several-heads"].checks
    assert check.outcome == "pass"
    assert check.value == pytest.approx(-0.14)  # 14 of 72


def test_a_layer_that_changes_as_much_as_the_last_leaves_the_claim_open(results):
    equal = results.copy()
    at_last = equal[(equal.metric == "map_similarity") & (equal.layer == N_LAYERS)]
    values = at_last.set_index(["task", "state", "head"]).value
    first = (equal.metric == "map_similarity") & (equal.layer == 1)
    keys = pd.MultiIndex.from_frame(equal.loc[first, ["task", "state", "head"]])
    equal.loc[first, "value"] = values.loc[keys].to_numpy()
    assert findings(equal)["last-layers-change"].verdict == UNTESTED


def test_attention_to_cls_in_late_layers_fails_one_half_of_the_claim(results):
    late = results
    for layer in range(4, N_LAYERS + 1):
        late = shifted(late, 0.6, metric="share", token_type="cls", layer=layer)
    found = findings(late)["cls-then-sep"]
    assert found.verdict == PARTLY
    assert {check.outcome for check in found.checks if "[CLS]" in check.what} == {"fail"}


@pytest.mark.parametrize(("by", "verdict"), [(-0.3, FAILS), (0.15, UNTESTED), (0.1, HOLDS)])
def test_the_heterogeneous_share_is_held_against_the_published_range(results, by, verdict):
    moved = shifted(results, by, pattern="heterogeneous", classifier="corrected")
    assert findings(moved)["heterogeneous"].verdict == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 4.0, HOLDS), (-1.0, 4.0, UNTESTED), (-1.0, 1.5, UNTESTED), (-1.0, 0.5, FAILS)],
)
def test_a_gain_fails_only_where_no_gain_of_one_point_is_left(results, low, high, verdict):
    bounds = results.copy()
    rows = bounds.metric == "largest_accuracy_change"
    bounds.loc[rows, "low"], bounds.loc[rows, "high"] = low, high
    alone = bounds[bounds.task == TASKS[0]]  # of one check no interval is widened
    found = findings(alone)
    assert {found[name].verdict for name in ("harmful-heads", "harmful-layers")} == {verdict}


@pytest.mark.parametrize("claim", ["harmful-heads", "heterogeneous"])
def test_one_task_refutes_what_is_said_of_every_task(results, claim):
    wide = shifted(results, 0.0, metric="largest_accuracy_change")
    rows = wide.metric == "largest_accuracy_change"
    rows |= (wide.pattern == "heterogeneous") & (wide.classifier == "corrected")
    wide.loc[rows, "low"], wide.loc[rows, "high"] = wide.value - 50, wide.value + 50
    assert findings(wide)[claim].verdict == UNTESTED
    failed = pd.concat(
        [
            that_fails(results[results.task == TASKS[0]], claim),
            wide[wide.task != TASKS[0]],
        ]
    )
    found = findings(failed)[claim]
    assert found.verdict == FAILS
    assert [check.outcome for check in found.checks].count("fail") == 1


def test_equal_scores_from_random_weights_leave_the_claim_open(results):
    evaluate = {"study": "evaluate", "state": "random-finetuned", "metric": "accuracy"}
    assert findings(shifted(results, 22.0, **evaluate))["pre-training"].verdict == UNTESTED


def test_scores_of_word_tasks_take_no_part_in_what_pre_training_is_worth(results):
    words = results[results.study == "evaluate"].assign(task="world-pos")
    both = pd.concat([results, words])
    assert len(findings(both)["pre-training"].checks) == len(TASKS)


def test_two_heads_that_are_like_the_others_do_not_stand_out(results):
    found = findings(weak(results, "core-element"))
    assert found["frame-heads"].verdict in (FAILS, UNTESTED)
    assert found["dependency-heads"].verdict == HOLDS


def test_without_rows_each_claim_says_which_study_or_state_is_missing(results):
    reasons = {name: one.reason for name, one in findings(results.iloc[:0]).items()}
    assert reasons["harmful-heads"] == "the ablation study is missing"
    without = results[results.study != "ablation"]
    assert findings(without)["harmful-heads"].verdict == UNTESTED
    assert findings(without)["cls-then-sep"].verdict == HOLDS
    tuned = findings(results[results.state != "random-finetuned"])["pre-training"]
    assert tuned.reason == "the state random-finetuned is missing"


def test_numbers_without_intervals_decide_nothing_that_an_interval_must(results):
    bare = results.assign(low=nan, high=nan)
    assert {finding.verdict for finding in findings(bare).values()} == {UNTESTED}


def test_the_difference_of_two_estimates_has_the_interval_of_independent_ones():
    one, other = Estimate(5.0, 2.0, 8.0), Estimate(1.0, -3.0, 5.0)
    assert difference(one, other) == Estimate(4.0, 4.0 - 5.0, 4.0 + 5.0)


def test_widening_for_one_test_changes_nothing_and_for_twenty_by_the_normal_quantiles():
    one = Estimate(1.0, 0.0, 3.0)
    assert widened(one, 1, 0.05) == one
    value, low, high = widened(one, 20, 0.05)
    assert value == 1.0
    assert isclose(1 - low, 3.0233 / 1.95996, rel_tol=1e-4)
    assert isclose(high - 1, 2 * 3.0233 / 1.95996, rel_tol=1e-4)


def test_the_fence_lies_above_all_but_the_outlier():
    assert tukey_fence([1, 2, 3, 4, 5]) == 4 + 1.5 * 2
    weights = [0.05] * (N_HEADS - 1) + [0.2]
    assert 0.05 <= tukey_fence(weights) < 0.2


def test_the_last_layers_are_two_of_twelve_and_never_none():
    assert [len(last_layers(depth)) for depth in (2, 6, 12, 24)] == [1, 1, 2, 4]


def measured_at_random(n: int, n_layers: int, n_heads: int) -> HeadMeasures:
    generator = np.random.default_rng(0)

    def values(*shape: int) -> np.ndarray:
        return generator.random((*shape, n_heads), dtype=np.float32)

    return HeadMeasures(
        aggregation=Aggregation(),
        lengths=np.full(n, 9),
        type_counts=np.ones((n, len(TYPES)), dtype=np.int64),
        entropy={state: values(n, n_layers) for state in STATES},
        share={state: values(len(TYPES), n, n_layers) for state in STATES},
        cls_row={state: values(len(TYPES), n, 1) for state in STATES},
        similarity={("finetuned", "pretrained"): values(n, n_layers)},
        floor={("finetuned", "pretrained"): values(n, n_layers)},
    )


def test_the_studies_write_every_number_that_the_claims_read():
    n, n_layers, n_heads = 24, 4, 3
    shared = {"encoder": "made-up", "task": "rte", "seed": 1}
    interval = {"confidence": 0.95, "bootstrap": 20}
    generator = np.random.default_rng(0)
    rows = attention_results(measured_at_random(n, n_layers, n_heads), **shared, **interval)
    labels = {
        state: {
            name: generator.integers(0, 5, (n, n_layers, n_heads), dtype=np.int8)
            for name in ("network", "rule")
        }
        for state in STATES
    }
    rows += pattern_results(labels, Setting(**shared, **interval))
    truth = generator.integers(0, 5, 60)
    places = {
        "map": range(60),
        "encoder": "made-up",
        "task": "rte",
        "state": "finetuned",
        "text": [f"t{number % n}" for number in range(60)],
        "layer": 1 + truth % n_layers,
        "head": truth % n_heads,
        "pattern": truth,
    }
    sources = [f"t{number}" for number in range(n)]
    rows += agreement_results(labels, pd.DataFrame(places), sources, Setting(**shared, **interval))
    relations = ["core-element", "nsubj"] * (n // 2)
    groups = pd.DataFrame({"text": range(n), "relation": relations, "direction": "from-to"})
    groups = pd.concat([groups] * 2, ignore_index=True)
    shape = (2 * n, n_layers, n_heads)
    weights, moved = ({"pretrained": generator.random(shape, dtype=np.float32)} for _ in range(2))
    pairs = PairWeights("all", groups.assign(pieces=9), weights, moved)
    rows += pair_results(pairs, **shared, **interval)
    gold = pd.Series(["0", "1"] * 12)
    answers = {state: gold.to_numpy() for state in ("finetuned", "random-finetuned")}
    rows += score_answers(gold, answers, kind="label", **shared, **interval)
    found = findings(to_frame(rows))
    read = [name for name, finding in found.items() if finding.checks]
    of_ablation = [claim.name for claim in ATTENTION_CLAIMS if claim.study == "ablation"]
    assert read == [name for name in found if name not in of_ablation]
    for name in read:
        for check in found[name].checks:
            assert all(map(isfinite, (check.value, check.low, check.high))), check
