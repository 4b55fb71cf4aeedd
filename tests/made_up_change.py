"""Made-up results of the study of change in the shape of a whole run: by formula, no randomness.

What holds by construction (4 layers, mark 1): vectors move more from layer to layer; the last layer
costs most when it is put back and the first `lower`; only the upper layers tuned is worth `upper`
points more than only the others; no intruders, a rank of `rank` of the control's; erasing the label
costs `used` points beyond the control after tuning and half of that before; on the way to another
seed the loss rises by `between`, to the control by `control`; an upper layer costs `ahead` nats
more at each step.
"""

from collections.abc import Iterator

import pandas as pd

from tuneprobe.collect.tables import quick
from tuneprobe.formats.results import Result, stamp, to_frame

N_LAYERS = 4
TASKS = {"world-qa": "token_f1", "world-pos": "accuracy", "world-rte": "accuracy"}
ERASED = ("world-pos",)
OTHER = {"finetuned": "pretrained", "pretrained": "finetuned"}
PARTS = ("attention", "feed-forward")


def around(value: float, reach: float = 1.0) -> tuple[float, float, float]:
    return value, value - reach, value + reach


def restore_rows(metric: str, upper: float, lower: float, sign: float) -> Iterator[Result]:
    scored = {"score": metric, "n": 60}
    if metric != "token_f1":
        yield Result("majority", 50.0, state="finetuned", **scored)
    for state, against in OTHER.items():
        tuned = state == "finetuned"
        yield Result("score", *around(90.0 if tuned else 55.0), state=state, **scored)
        yield Result("loss", *around(0.2 if tuned else 1.0, 0.05), state=state, **scored)
        of = {"state": state, "against": against, **scored}
        for layer in range(N_LAYERS + 1):
            cost = (10.0 * layer if tuned else -8.0 * layer) * (layer > 1)
            cost += lower * (tuned and layer == 1)
            for name, change, size in (("score", -cost, 1.0), ("loss", cost / 40, 0.05)):
                start = {"score": 90.0 if tuned else 55.0, "loss": 0.2 if tuned else 1.0}[name]
                for scope in ("up_to", "layer") if layer else ("up_to",):
                    yield Result(
                        f"{scope}_{name}", *around(start + change, size), layer=layer, **of
                    )
                    found = around(change, size)
                    yield Result(f"{scope}_{name}_change", *found, layer=layer, **of)
                for part in PARTS if layer and tuned else ():
                    found = around(change / 2, size)
                    yield Result(f"layer_{name}_change", *found, layer=layer, part=part, **of)
    of = {"state": "finetuned", "against": "pretrained", "n": 60}
    for layer in range(1, N_LAYERS):
        yield Result("above_minus_below", *around(upper), layer=layer, score=metric, **of)
    for name in ("vectors_matter", "weights_matter"):
        yield Result(name, *around(0.8 * sign, 0.15), **of)


def moved_rows(rank: float, intruders: float, random: float, sign: float) -> Iterator[Result]:
    of = {"state": "finetuned", "against": "pretrained", "n": 400}
    for layer in range(N_LAYERS + 1):
        moved = 20.0 + 10.0 * layer * sign + 40.0 * (sign < 0)
        yield Result("difference", *around(moved), layer=layer, **of)
        yield Result("cka_debiased", *around(1 - moved / 200, 0.02), layer=layer, **of)
        yield Result("cka_debiased", 0.01, layer=layer, **{**of, "state": "shuffled"})
        yield Result("weight_change", 3.0 + 0.1 * layer, layer=layer, **of)
    for layer in (-1, *range(1, N_LAYERS + 1)):
        for part in ("", *PARTS) if layer > 0 else ("",):
            more = {"layer": layer, "part": part, **of}
            if part or layer < 0:
                yield Result("weight_change", 3.0 + 0.1 * max(layer, 0), **more)
            yield Result("effective_rank", *around(rank, 0.03), **more)
            yield Result("intruders", *around(intruders, 0.9), **more)
            yield Result("intruders", *around(random, 0.9), **{**more, "state": "shuffled"})


def erasure_rows(used: float) -> Iterator[Result]:
    for state, share in (("pretrained", 0.5), ("finetuned", 1.0)):
        yield Result("read_score", *around(92.0), state=state, n=60)
        yield Result("read_majority", 25.0, state=state, n=60)
        for layer in range(N_LAYERS + 1):
            of = {"state": state, "layer": layer, "n": 60}
            yield Result("control_score", *around(90.0), **of)
            yield Result("erased_score", *around(90.0 - share * used), **of)
            yield Result("erasure_excess", *around(share * used), **of)
    for layer in range(N_LAYERS + 1):
        of = {"state": "finetuned", "against": "pretrained", "layer": layer, "n": 60}
        yield Result("erasure_gap", *around(used / 2), **of)


def path_rows(metric: str, barrier: float) -> Iterator[Result]:
    of = {"state": "finetuned", "against": "pretrained", "score": metric, "n": 60}
    for step in (0, 25, 50, 75, 100, 125):
        yield Result("path_score", *around(55 + 0.35 * min(step, 100)), step=step, **of)
        yield Result("path_loss", *around(1 - 0.008 * min(step, 100), 0.05), step=step, **of)
    yield Result("barrier", *around(barrier, 0.05), **of)


def seed_rows(metric: str, barrier: float, control: float) -> Iterator[Result]:
    for state, height in (("finetuned", barrier), ("shuffled", control)):
        of = {"state": state, "against": "finetuned", "score": metric, "n": 60}
        for step in (0, 50, 100):
            yield Result("seed_path_score", *around(90.0), step=step, **of)
            loss = 0.3 + height * (step == 50)
            yield Result("seed_path_loss", *around(loss, 0.05), step=step, **of)
        yield Result("seed_barrier", *around(height, 0.05), **of)


def step_rows(metric: str, ahead: float) -> Iterator[Result]:
    """An upper layer costs `ahead` nats more than a lower one; layer 1 costs in steps 1 and 40."""
    of = {"state": "finetuned", "score": metric, "n": 60}
    for step in (1, 8, 40):
        yield Result("step_score", *around(50.0 + step), step=step, **of)
        yield Result("step_loss", *around(2.0 - step / 40, 0.1), step=step, **of)
        of |= {"against": "pretrained"}
        for layer in range(1, N_LAYERS + 1):
            cost = 0.2 + ahead * (layer > N_LAYERS // 2)
            cost = 0.0 if (layer, step) == (1, 8) else cost
            for scope in ("layer", "up_to"):
                here = {"layer": layer, "step": step, **of}
                yield Result(f"step_{scope}_score_change", *around(-10 * cost), **here)
                yield Result(f"step_{scope}_loss_change", *around(cost, 0.1), **here)
        yield Result("upper_over_lower", *around(ahead, 0.05), step=step, **of)
        del of["against"]


def patch_rows(carried: float) -> Iterator[Result]:
    """Tuning adds 30 points of synonyms and takes 30 of coreference; its states carry `carried`."""
    for probe, sign in (("synonyms", 1), ("coreference", -1)):
        of = {"label": probe, "n": 24}
        for state, against in OTHER.items():
            tuned = state == "finetuned"
            yield Result(
                "pair_score", *around(60 + 15 * sign * (1 if tuned else -1)), state=state, **of
            )
            of |= {"state": state, "against": against}
            for layer in (1, 3):
                moved = carried * sign * (-1 if tuned else 1) * layer / 3
                for part in ("anchor", "match"):
                    for metric in ("patch_change", "patch_excess"):
                        yield Result(metric, *around(moved), layer=layer, part=part, **of)
                yield Result("patch_change", *around(0.0), layer=layer, part="elsewhere", **of)
            of = {"label": probe, "n": 24}


def information_rows(gain: float) -> Iterator[Result]:
    """Bits of the study of geometry: tuning adds `gain` in each layer above the first."""
    nothing = {"state": "no-encoder", "n": 300}
    yield Result("label_bits", *around(3.0, 0.1), **nothing)
    yield Result("v_information", *around(1.5, 0.1), classifier="word-type", **nothing)
    for layer in range(N_LAYERS + 1):
        for classifier in ("mlp", "linear"):
            of = {"layer": layer, "classifier": classifier, "n": 300}
            for state, bits in (("random", 1.0), ("pretrained", 2.0), ("finetuned", 2.0 + gain)):
                yield Result("v_information", *around(bits, 0.1), state=state, **of)
                yield Result("v_beyond_type", *around(bits - 1.5, 0.1), state=state, **of)
            of |= {"state": "finetuned", "against": "pretrained"}
            yield Result("v_gain", *around(gain * (layer > 0), 0.05), **of)
    of = {**of, "layer": N_LAYERS, "classifier": "mlp"}
    for label, share in (("NOUN", 0.5), ("VERB", 1.5)):
        yield Result("v_gain", *around(share * gain, 0.1), label=label, **of)


def made_up_change(
    upper: float = 12.0,
    lower: float = 0.0,
    sign: float = 1.0,
    rank: float = 0.3,
    intruders: float = 1.0,
    random: float = 30.0,
    used: float = 20.0,
    gain: float = 0.5,
    barrier: float = -0.3,
    carried: float = 12.0,
    between: float = -0.2,
    control: float = 1.0,
    ahead: float = 0.2,
    lora: bool = False,
) -> pd.DataFrame:
    """Rows of one run; `sign` -1 turns the order of the layers that change."""
    rows: list[Result] = []
    for task, metric in TASKS.items():
        found = [*restore_rows(metric, upper, lower, sign)]
        found += moved_rows(rank, intruders, random, sign)
        found += erasure_rows(used) if task in ERASED else []
        found += path_rows(metric, barrier)
        found += seed_rows(metric, between, control)
        found += step_rows(metric, ahead) if task in ERASED else []
        found += [Result("lora_rank", 8.0, state="finetuned")] if lora else []
        shared = {"study": "change", "encoder": "minilm-l6", "task": task, "seed": 13}
        rows += stamp(found, **shared, level=0.95)
    of = {"encoder": "minilm-l6", "seed": 13, "level": 0.95}
    rows += stamp(patch_rows(carried), study="change", task="world-pairs", **of)
    for task in ERASED:
        rows += stamp(information_rows(gain), study="classify", task=task, **of)
    return quick(to_frame(rows))
