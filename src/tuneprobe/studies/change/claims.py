"""Claims about what tuning changes, where, and whether it matters."""

from collections.abc import Iterator

import pandas as pd

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import (
    ABOVE_ZERO,
    Check,
    Checks,
    Outcome,
    Rows,
    above,
    below,
    by_interval,
    each_row,
    read_claims,
    widened,
)
from tuneprobe.collect.estimates import (
    NOT_MEASURED,
    Estimate,
    bounds_mean,
    difference,
    estimates,
    halves,
    mean,
)
from tuneprobe.collect.tables import select
from tuneprobe.formats.results import NO_LAYER
from tuneprobe.stats import marked_layer
from tuneprobe.studies.change.measures import (
    AFTER,
    BEFORE,
    SHUFFLED,
    depth,
    gained,
    patched_probes,
    rows_of,
)

FEW = 5.0  # percent of the directions looked at
HALF = 0.5  # of the effective rank of a random change
RISE = "rise above the chord"


def _upper_carry(evidence: Evidence) -> Iterator[Check]:
    layer, level = _mark(evidence), evidence.alpha / 2  # of the checks one half are of each kind
    upper = f"layers {layer + 1}–{depth(evidence.results)} over the others"
    for metric, what, rule in (
        ("above_minus_below", upper, ABOVE_ZERO),
        ("up_to_score_change", "the others put back", above(-evidence.margin)),
    ):
        checks = each_row(what, _at_mark(metric))(evidence)
        yield from by_interval(checks, level, rule)


def _unequal(evidence: Evidence) -> Iterator[Check]:
    rows = rows_of(evidence.results, "layer_score_change")
    for task, of_task in evidence.by_task(rows):
        plain = estimates(of_task)
        found = [widened(one, len(rows), evidence.alpha) for one in plain]
        costs_nothing = [one.low > -evidence.margin for one in found]
        costs = [one.high < 0 for one in found]
        cost_all = all(one.high < -evidence.margin for one in found)
        places = range(len(found))
        least = max(places, key=lambda n: (plain[n].low, plain[n].value))
        most = min(places, key=lambda n: (plain[n].high, plain[n].value))
        for at, what, shown, refuted in (
            (least, "nothing", any(costs_nothing), cost_all),
            (most, "something", any(costs), all(costs_nothing)),
        ):
            outcome: Outcome = "fail" if refuted else "pass" if shown else "undecided"
            what = f"layer {of_task.layer.iloc[at]} costs {what}"
            yield Check(task, what, *plain[at], outcome=outcome)


def _is_used(evidence: Evidence) -> Iterator[Check]:
    for metric, what in (("erasure_excess", "after tuning"), ("erasure_gap", "more than before")):
        yield from each_row(what, _at_mark(metric))(evidence)


def _gained_is_used(evidence: Evidence) -> Iterator[Check]:
    last = depth(evidence.results)
    for task, of_task in rows_of(evidence.results, "erasure_gap").groupby("task"):
        gains = gained(evidence.results, str(task), "linear")
        gains = gains[gains.layer < last]
        more = [
            layer
            for layer, one in zip(gains.layer.tolist(), estimates(gains), strict=True)
            if widened(one, len(gains), evidence.alpha).low > 0
        ]
        used = estimates(of_task[of_task.layer.isin(more)])
        what = f"layers {', '.join(map(str, more))}" if more else "no layer below the last gained"
        numbers = bounds_mean(used) if used else NOT_MEASURED
        yield Check(evidence.label(str(task)), what, *numbers)


def _own_words(evidence: Evidence) -> Iterator[Check]:
    rows = rows_of(evidence.results, "patch_excess", BEFORE, ("anchor", "match"))
    rows = rows[rows.layer == rows.layer.max()]
    for probe in patched_probes(rows):
        of_probe = rows[rows.label == probe]
        scores = [
            estimates(select(rows_of(evidence.results, "pair_score", state), label=probe))
            for state in (AFTER, BEFORE)
        ]
        if not all(scores):
            yield Check(probe, "not measured in both models")
            continue
        after, before = (mean(one).value for one in scores)
        if abs(after - before) < evidence.margin:
            yield Check(probe, "the models differ too little")
            continue
        for part, one in zip(of_probe.part.tolist(), estimates(of_probe), strict=True):
            towards = one if after > before else Estimate(-one.value, -one.high, -one.low)
            yield Check(probe, f"{part}, towards tuned", *towards)


def _top_changes(evidence: Evidence) -> Iterator[Check]:
    for task, rows in evidence.by_task(rows_of(evidence.results, "difference")):
        lower, upper = halves(rows, depth(evidence.results))
        if lower and upper:
            more = difference(bounds_mean(upper), bounds_mean(lower))
            yield Check(task, "upper half over lower half", *more)


def _at_mark(metric: str) -> Rows:
    return lambda evidence: select(rows_of(evidence.results, metric), layer=_mark(evidence))


def _of_encoder(metric: str) -> Rows:
    """The number of all layers together."""
    return lambda evidence: select(rows_of(evidence.results, metric), layer=NO_LAYER)


def _where(seen: pd.Series, checks: Checks, otherwise: str) -> Checks:
    """The checks of the tasks in which it could be seen; of the others what was missing."""

    def found(evidence: Evidence) -> Iterator[Check]:
        labels = {evidence.label(task) for task in seen}
        for check in checks(evidence):
            yield check if check.subject in labels else Check(check.subject, otherwise)

    return found


def _intruders(*, by_lora: bool) -> Checks:
    """New directions in tasks that were tuned by a LoRA, or in the others."""

    def found(evidence: Evidence) -> Iterator[Check]:
        adapted = rows_of(evidence.results, "lora_rank").task
        new = _of_encoder("intruders")(evidence)
        new = new[new.task.isin(adapted) == by_lora]
        random = select(rows_of(evidence.results, "intruders", SHUFFLED), layer=NO_LAYER)
        seen = pd.concat([one.task[one.low > FEW] for one in (new, random)])
        checks = each_row("new directions", lambda _: new, unit="percent")
        yield from _where(seen, checks, "no new direction at random places either")(evidence)

    return found


def _mark(evidence: Evidence) -> int:
    return marked_layer(evidence.layer_mark, depth(evidence.results))


def _change_against_cost(evidence: Evidence) -> pd.DataFrame:
    return rows_of(evidence.results, "vectors_matter")


def _between_seeds(evidence: Evidence) -> Iterator[Check]:
    control = rows_of(evidence.results, "seed_barrier", SHUFFLED)
    checks = each_row(RISE, _of_encoder("seed_barrier"), unit="nats")
    seen = control.task[control.low > 0]
    yield from _where(seen, checks, "no barrier to the control either")(evidence)


def _upper_first(evidence: Evidence) -> Iterator[Check]:
    rows = rows_of(evidence.results, "upper_over_lower").sort_values(["task", "step"])
    for task, step, one in zip(rows.task, rows.step, estimates(rows), strict=True):
        yield Check(evidence.label(task), f"after {step} updates", *one, unit="nats")


def begins(evidence: Evidence, task: str) -> dict[int, int]:
    """After which update a layer begins to matter, by layer; one that does not is left out.

    The first step looked at from which on the layer, put back alone, costs loss by its interval,
    widened for the number of steps. A later step that does not show it takes back what came before:
    the count begins anew, so that a dip is no beginning, and what is gone at the end never was one.
    """
    rows = rows_of(evidence.results, "step_layer_loss_change")
    found = {}
    for layer, of_layer in rows[rows.task == task].groupby("layer"):
        ordered = of_layer.sort_values("step")
        for step, one in reversed(list(zip(ordered.step, estimates(ordered), strict=True))):
            if not widened(one, len(ordered), evidence.alpha).low > 0:
                break
            found[int(str(layer))] = int(step)
    return found


CHANGE_CLAIMS = read_claims(
    __file__,
    {
        "upper-layers-carry": (_upper_carry, None),
        "layers-unequal": (_unequal, None),
        "change-matters": (
            each_row("change against cost", _change_against_cost, unit="correlation"),
            ABOVE_ZERO,
        ),
        "few-intruders": (_intruders(by_lora=False), below(FEW)),
        "low-rank": (
            each_row("of a random change", _of_encoder("effective_rank"), unit="similarity"),
            below(HALF),
        ),
        "encoded-is-used": (_is_used, ABOVE_ZERO),
        "gained-is-used": (_gained_is_used, ABOVE_ZERO),
        "one-basin": (
            each_row(RISE, _of_encoder("barrier"), unit="nats"),
            below(0.0),
        ),
        "seeds-one-basin": (_between_seeds, below(0.0)),
        "upper-first": (_upper_first, ABOVE_ZERO),
        "own-words-carry": (_own_words, ABOVE_ZERO),
        "lora-intrudes": (_intruders(by_lora=True), above(FEW)),
        "top-changes": (_top_changes, ABOVE_ZERO),
    },
    few=FEW,
    half=HALF,
)
