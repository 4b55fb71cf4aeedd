"""Made-up results of the study of change in the shape of a whole run: by formula, no randomness.

What holds by construction (4 layers, mark 1): vectors move more from layer to layer; the last layer
costs most when it is put back and the first `lower`; only the upper layers tuned is worth `upper`
points more than only the others; no intruders, a rank of `rank` of the control's; erasing the label
costs `used` points beyond the control after tuning and half of that before.
"""

from collections.abc import Iterator

import pandas as pd

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


def moved_rows(rank: float, intruders: float, sign: float) -> Iterator[Result]:
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
            yield Result("intruders", 0.0, **{**more, "state": "shuffled"})


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


def made_up_change(
    upper: float = 12.0,
    lower: float = 0.0,
    sign: float = 1.0,
    rank: float = 0.3,
    intruders: float = 1.0,
    used: float = 20.0,
) -> pd.DataFrame:
    """Rows of one run; `sign` -1 turns the order of the layers that change."""
    rows: list[Result] = []
    for task, metric in TASKS.items():
        found = [*restore_rows(metric, upper, lower, sign), *moved_rows(rank, intruders, sign)]
        found += erasure_rows(used) if task in ERASED else []
        shared = {"study": "change", "encoder": "minilm-l6", "task": task, "seed": 13}
        rows += stamp(found, **shared, level=0.95)
    return to_frame(rows)
