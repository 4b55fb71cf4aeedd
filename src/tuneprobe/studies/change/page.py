"""The study of change on the page: what changes and what matters, side by side."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from tuneprobe.collect.estimates import Estimate
from tuneprobe.collect.tables import records
from tuneprobe.page.charts import FINETUNED, PRETRAINED
from tuneprobe.page.figures import Curves, Quantity
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.study import Study
from tuneprobe.page.wording import number, signed
from tuneprobe.studies.change.claims import CHANGE_CLAIMS
from tuneprobe.studies.change.measures import (
    AFTER,
    BEFORE,
    ELAZAR,
    MEASURES,
    PARTS,
    SHUFFLED,
    SHUTTLEWORTH,
    STUDY,
    ZHANG,
    depth,
    rows_of,
    task_label,
    tasks_of,
)

NOTHING = "Not measured in this run."
BOTH = (FINETUNED, PRETRAINED)
PART_SERIES = [replace(look, name=part, label=part) for look, part in zip(BOTH, PARTS, strict=True)]
SHARED: dict[str, Any] = {"label": task_label}


def _of(metric: str, **facets: Any) -> dict[str, Any]:
    return {"study": STUDY, "metric": metric, **facets}


def _by_task(rows: pd.DataFrame) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for task in tasks_of(rows):
        yield task_label(task), records(rows[rows.task == task])


def changed_caption(inputs: PageInputs) -> str:
    """Which layer moves most, which costs most, and which costs least."""
    moved = dict(_by_task(rows_of(inputs.results, "difference")))
    parts = []
    for task, rows in _by_task(rows_of(inputs.results, "layer_score_change")):
        worst, best = (end(rows, key=_value) for end in (min, max))
        far = max(moved.get(task, []), key=_value, default=None)
        first = f"{task}: vectors move most in layer {far['layer']}" if far else task
        parts.append(
            f"{first}; put back, layer {worst['layer']} costs most "
            f"({signed(worst['value'])} points) and layer {best['layer']} least "
            f"({signed(best['value'])})."
        )
    return " ".join(parts) or NOTHING


def put_back_caption(inputs: PageInputs) -> str:
    """What the tuned and the pre-trained encoder score, and what one half of the layers gives."""
    half = depth(inputs.results) // 2
    parts = []
    for task, rows in _by_task(rows_of(inputs.results, "up_to_score")):
        scores = {row["layer"]: row["value"] for row in rows}
        kept = rows_of(inputs.results, "score")
        tuned = [row["value"] for row in records(kept) if task_label(row["task"]) == task]
        if tuned and half in scores:
            parts.append(
                f"{task}: tuned {number(tuned[0])} %, with embeddings and layers 1–{half} put back "
                f"{number(scores[half])} %, with all put back {number(scores[max(scores)])} %."
            )
    return " ".join(parts) or NOTHING


def weights_caption(inputs: PageInputs) -> str:
    """How far weights moved in all, in how many directions, and how many of these are new."""
    parts = []
    for task, rows in _by_task(rows_of(inputs.results, "weight_change")):
        total = next((row for row in rows if row["layer"] < 0), None)
        if total is None:
            continue
        text = f"{task}: the matrices of the layers moved by {number(total['value'], 2)} %"
        for metric, state, words in (
            ("effective_rank", AFTER, "effective rank {} of a random change’s"),
            ("intruders", AFTER, "new directions {} %"),
            ("intruders", SHUFFLED, "in a random change {} %"),
        ):
            found = rows_of(inputs.results, metric, state)
            found = found[(found.layer < 0) & (found.task.map(task_label) == task)]
            if len(found):
                digits = 2 if metric == "effective_rank" else 1
                text += f"; {words.format(number(found.value.iloc[0], digits))}"
        parts.append(f"{text}.")
    return " ".join(parts) or NOTHING


def erasure_caption(inputs: PageInputs) -> str:
    """At which layer the label is needed most, before and after."""
    parts = []
    for state, when in ((BEFORE, "before"), (AFTER, "after")):
        for task, rows in _by_task(rows_of(inputs.results, "erasure_excess", state)):
            inner = [row for row in rows if row["layer"] < depth(inputs.results)]
            if inner:
                most = max(inner, key=_value)
                parts.append(
                    f"{task} {when} tuning: erased below the last layer it costs most at layer "
                    f"{most['layer']}, {signed(most['value'])} points beyond the control."
                )
    return " ".join(parts) or NOTHING


def _value(row: dict[str, Any]) -> float:
    return float(row["value"])


CHANGED = Curves(
    "changed-mattered",
    "What changes, and what matters",
    axis="%; points",
    reading="First of each pair: how far the vectors of word pieces moved in a layer, as a share "
    "of their spread before tuning (a jackknife over groups of texts). Second: what the score "
    "gains or loses when one layer alone comes from the other encoder, under the tuned head: blue, "
    "a layer of the tuned encoder is put back; orange, a tuned layer is put into the pre-trained "
    "one. A layer that moves far and costs nothing has changed without mattering. Bands are paired "
    "intervals over texts.",
    caption=changed_caption,
    groups=lambda inputs: tasks_of(inputs.results),
    quantities=[
        Quantity("vectors moved, %", _of("difference", state=(AFTER, BEFORE)), around=[0.0]),
        Quantity(
            "score, one layer changed, points", _of("layer_score_change", part=""), around=[0]
        ),
    ],
    series=BOTH,
    **SHARED,
)
PUT_BACK = Curves(
    "put-back",
    "How much of the encoder must be tuned",
    axis="score, %",
    reading="Blue: the score with the embeddings and all layers up to this one pre-trained, and "
    "those above tuned. Orange: with those up to this one tuned, and those above pre-trained. The "
    "head is the tuned one throughout, so at the last layer the blue curve is the pre-trained "
    "encoder and the orange one the tuned encoder. The most frequent answer stands in the heading.",
    caption=put_back_caption,
    groups=lambda inputs: tasks_of(inputs.results),
    quantities=[
        Quantity(
            "score",
            _of("up_to_score"),
            baseline=_of("majority"),
            baseline_label="majority",
        )
    ],
    series=BOTH,
    **SHARED,
)
WEIGHTS = Curves(
    "weights",
    "How far and in how many directions weights moved",
    axis="%; share; nats",
    reading="By layer, for the matrices of its attention and of its feed-forward network: how far "
    "they moved; the effective rank of what was added, as a share of that of the same numbers at "
    "random places, which is 1; and how much the loss of the tuned encoder rises when the part "
    "alone is put back. The first two have Student’s interval over matrices where there are some.",
    caption=weights_caption,
    groups=lambda inputs: tasks_of(inputs.results),
    rev="part",
    quantities=[
        Quantity(
            "weights moved, %",
            lambda inputs: _inner(rows_of(inputs.results, "weight_change", part=PARTS)),
            around=[0.0],
        ),
        Quantity(
            "effective rank",
            lambda inputs: _inner(rows_of(inputs.results, "effective_rank", part=PARTS)),
            digits=2,
            around=[0.0, 1.0],
        ),
        Quantity(
            "loss, part put back",
            lambda inputs: rows_of(inputs.results, "layer_loss_change", part=PARTS),
            digits=2,
            around=[0.0],
        ),
    ],
    series=PART_SERIES,
    in_row=3,
    **SHARED,
)
ERASURE = Curves(
    "erasure",
    "Is the label that a layer encodes used further up?",
    axis="accuracy, %; points",
    reading="All linear information on the label is erased from the words at a layer, and the "
    "layers above are run. First of each pair: the accuracy of a linear classifier that was fitted "
    "on the last layer as it is; the share of the most frequent label stands in the heading. "
    "Second: by how much that is below what it is when as many random directions are erased. At "
    "the last layer nothing can be restored; below it, what falls is what the layers above used. "
    "Bands are paired intervals over texts.",
    caption=erasure_caption,
    groups=lambda inputs: tasks_of(inputs.results, "erasure_excess"),
    quantities=[
        Quantity(
            "accuracy, label erased",
            _of("erased_score"),
            baseline=_of("read_majority"),
            baseline_label="majority",
        ),
        Quantity("below the control, points", _of("erasure_excess"), around=[0.0]),
    ],
    series=BOTH,
    **SHARED,
)


def _inner(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows.layer > 0]


def headline(results: pd.DataFrame, focus: str) -> dict[str, Estimate]:
    """None: what tuning changed is of two states, and runs are compared by one."""
    return {}


def methods(_: PageInputs) -> str:
    """How the study measures."""
    return (
        "Layers of the tuned and of the pre-trained encoder change places, and the tuned head "
        "reads the result; a pass begins at the lowest layer that differs, so that each mixture "
        "gives to the last bit what an encoder with these weights gives. Texts are sampled; all "
        "mixtures are scored on the same bootstrap samples of them. Where two encoders answer all "
        "texts alike, the interval is that of a share of which none was seen. Vectors are those of "
        "sampled word pieces; the controls are the same vectors, or the same changes of weights, "
        "in random order. Labels are erased by LEACE, fitted on the training examples, and the "
        "control erases as many random directions of the whitened space."
    )


def notes(inputs: PageInputs) -> Iterator[str]:
    """How this run differs from the papers."""
    yield (
        "Zhang et al. put layers of trained networks back to random weights; here they go back to "
        "the pre-trained ones, so that what is lost is what tuning gave."
    )
    yield (
        "Elazar et al. remove a property by iterated projections and read the language model; "
        "here LEACE removes it, and a linear classifier of the last layer is read before and after "
        "tuning alike."
    )
    if any(task.endswith("-qa") for task in tasks_of(inputs.results)):
        yield (
            "A reader is scored by the F1 of words on a sample of the questions that have a short "
            "answer, so its score here is not that of its evaluation."
        )


CHANGE = Study(
    STUDY,
    "What changed, where, and does it matter",
    "Which layers and weights does tuning change, what does it cost to take that back, and is what "
    "is encoded used?",
    f"Cai et al. 2020, {ELAZAR}, Hu et al. 2022, Kovaleva et al. 2019, Merchant et al. 2020, "
    f"{SHUTTLEWORTH} and {ZHANG}",
    methods,
    notes,
    MEASURES,
    [CHANGED, PUT_BACK, WEIGHTS, ERASURE],
    CHANGE_CLAIMS,
    headline,
    (),
)
