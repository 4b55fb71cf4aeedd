"""The study of change on the page: what changes and what matters, side by side."""

from collections.abc import Callable, Iterator
from math import inf
from typing import Any

import pandas as pd

from tuneprobe.collect.estimates import estimate
from tuneprobe.collect.tables import records, select
from tuneprobe.formats.results import NO_LAYER
from tuneprobe.page.charts import FINETUNED, PRETRAINED, RANDOM, RUNS, renamed
from tuneprobe.page.figures import (
    Curves,
    HeatMaps,
    Quantity,
    answer,
    most_and_least,
    over_tasks,
    sentences,
)
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.study import Study
from tuneprobe.studies.change.claims import CHANGE_CLAIMS, begins
from tuneprobe.studies.change.measures import (
    AFTER,
    BEFORE,
    ELAZAR,
    ETHAYARAJH,
    HAO,
    JUNEJA,
    MEASURES,
    NEYSHABUR,
    PARTS,
    PRAKASH,
    SHUFFLED,
    SHUTTLEWORTH,
    STUDY,
    ZHANG,
    depth,
    patched_probes,
    rows_of,
    tasks_of,
)
from tuneprobe.wording import bounded, listed, number, plain, signed, spread

PUT = {
    AFTER: "a layer of the tuned encoder put back",
    BEFORE: "a tuned layer put into the pre-trained",
}
GAINS = "Put into the other, a layer gains"
BOTH = (FINETUNED, PRETRAINED)
WAY = "% of the way to the tuned weights"
REORDERED = renamed(RANDOM, SHUFFLED, "control: hidden units reordered")


def _of(metric: str, **facets: Any) -> dict[str, Any]:
    return {"study": STUDY, "metric": metric, **facets}


def _by_task(inputs: PageInputs, *of: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The label of each task, and its rows as `rows_of` gives them."""
    rows = rows_of(inputs.results, *of)
    for task in tasks_of(rows):
        yield inputs.label(task), records(rows[rows.task == task])


def _extreme(rows: list[dict[str, Any]], sign: int = 1) -> dict[str, Any]:
    """The row of the largest value; of the smallest where the sign is -1."""
    return max(rows, key=lambda row: sign * float(row["value"]))


@sentences
def changed_caption(inputs: PageInputs) -> Iterator[str]:
    """Which layer moves most, which costs most, and which costs least."""
    moved = dict(_by_task(inputs, "difference"))
    for task, rows in _by_task(inputs, "layer_score_change"):
        worst, best = _extreme(rows, -1), _extreme(rows)
        far = _extreme(moved[task]) if task in moved else None
        first = f"{task}: vectors move most in layer {far['layer']}" if far else task
        yield (
            f"{first}; put back, layer {worst['layer']} costs most "
            f"({signed(worst['value'])} points) and layer {best['layer']} least "
            f"({signed(best['value'])})."
        )


def mattered_rows(inputs: PageInputs) -> pd.DataFrame:
    """What one layer of the other encoder does to the score, a map per direction."""
    rows = pd.concat(
        rows_of(inputs.results, "layer_score_change", state).assign(group=words)
        for state, words in PUT.items()
    )
    return rows.assign(task=rows.task.map(inputs.label), measure="change of the score, points")


@sentences
def mattered_caption(inputs: PageInputs) -> Iterator[str]:
    """Where one layer costs most and gains most, and in how many tasks that is sure."""
    for state, words, sign in ((AFTER, "Put back, a layer costs", -1), (BEFORE, GAINS, 1)):
        rows = rows_of(inputs.results, "layer_score_change", state)
        if len(rows):
            most = _extreme(records(rows), sign)
            sure = rows[(rows.high < 0) if sign < 0 else (rows.low > 0)].task.nunique()
            yield (
                f"{words} most in {inputs.label(most['task'])}: layer {most['layer']}, "
                f"{bounded(*estimate(most), sign=True)} points; in {sure} of "
                f"{rows.task.nunique()} tasks some layer clearly does."
            )


def lost_rows(inputs: PageInputs) -> pd.DataFrame:
    """Points that the tuned encoder loses when one layer is put back, the mean over the tasks."""
    rows = rows_of(inputs.results, "layer_score_change")
    return over_tasks(rows.assign(value=0 - rows.value))


def finding(inputs: PageInputs) -> str:
    """Which layer costs most and least when it is put back, and what the weights moved by."""
    rows = lost_rows(inputs)
    if not len(rows):
        return ""
    worst, best = most_and_least(rows)
    text = (
        f"What matters: put back to its pre-trained weights, layer {worst['layer']} costs "
        f"{number(worst['value'])} points (mean of the tasks; {number(worst['low'])} to "
        f"{number(worst['high'])}) and layer {best['layer']} {number(best['value'])}"
    )
    moved = list(_of_encoder(inputs, "weight_change").values())
    return f"{text}; weights moved by {spread(moved)} %." if moved else f"{text}."


@sentences
def put_back_caption(inputs: PageInputs) -> Iterator[str]:
    """What the tuned and the pre-trained encoder score, and what one half of the layers gives."""
    half, tuned = depth(inputs.results) // 2, _of_encoder(inputs, "score")
    for task, rows in _by_task(inputs, "up_to_score"):
        scores = {row["layer"]: row["value"] for row in rows}
        if task in tuned and half in scores:
            yield (
                f"{task}: tuned {number(tuned[task])} %, with embeddings and layers 1–{half} put "
                f"back {number(scores[half])} %, with all put back {number(scores[max(scores)])} %."
            )


@sentences
def weights_caption(inputs: PageInputs) -> Iterator[str]:
    """How far weights moved in all, in how many directions, and how many of these are new."""
    moved, ranks, new, random = (
        _of_encoder(inputs, *of)
        for of in (("weight_change",), ("effective_rank",), ("intruders",), ("intruders", SHUFFLED))
    )
    for task, total in moved.items():
        text = f"{task}: the matrices of the layers moved by {number(total, 2)} %"
        if task in ranks:
            text += f"; effective rank {number(ranks[task], 2)} of a random change’s"
        if task in new:
            text += f"; new directions {number(new[task])} %"
        if task in random:
            text += f"; in a random change {number(random[task])} %"
        yield f"{text}."


@sentences
def erasure_caption(inputs: PageInputs) -> Iterator[str]:
    """At which layer the label is needed most, before and after."""
    for state, when in ((BEFORE, "before"), (AFTER, "after")):
        for task, rows in _by_task(inputs, "erasure_excess", state):
            if inner := [row for row in rows if row["layer"] < depth(inputs.results)]:
                most = _extreme(inner)
                yield (
                    f"{task} {when} tuning: erased below the last layer it costs most at layer "
                    f"{most['layer']}, {signed(most['value'])} points beyond the control."
                )


@sentences
def information_caption(inputs: PageInputs) -> Iterator[str]:
    """What tuning added in the last layer, and which words gained most."""
    for task, rows in _bits("v_gain")(inputs).groupby("task"):
        last = rows.value.iloc[rows.layer.argmax()]
        text = f"{inputs.label(str(task))}: {signed(last, 2)} bits in the last layer"
        words = inputs.tables.get(f"{task}/classify/words")
        if words is not None and len(words):
            most = (
                f"“{row['word']}” as {row['label']} {signed(row['gain'])}"
                for row in records(words.head(3))
            )
            text += f", most in {', '.join(most)}"
        yield f"{text}."


@sentences
def path_caption(inputs: PageInputs) -> Iterator[str]:
    """The barrier of each task, to another seed and to its control too."""
    control = dict(_by_task(inputs, "seed_barrier", SHUFFLED))
    for metric, where in (("barrier", ""), ("seed_barrier", " to another seed")):
        for task, rows in _by_task(inputs, metric):
            found = [rows[0], *(control.get(task, [])[:1] if where else [])]
            yield f"{task}{where}: the loss is {', to the control '.join(map(_from_chord, found))}."


def _from_chord(row: dict[str, Any]) -> str:
    """On which side of the chord the highest loss is, and how far."""
    value, low, high = estimate(row)
    if value < 0:
        return f"at least {bounded(-value, -high, -low, digits=2)} nats below the chord"
    return f"at most {bounded(value, low, high, digits=2)} nats above the chord"


def step_rows(inputs: PageInputs) -> pd.DataFrame:
    """What a layer put back costs in loss at each step, a map per task."""
    rows = rows_of(inputs.results, "step_layer_loss_change")
    return rows.assign(group=rows.task, measure="rise of the loss, nats")


@sentences
def steps_caption(inputs: PageInputs) -> Iterator[str]:
    """Which layers matter from which update on, and by how much the upper half leads."""
    gaps = dict(_by_task(inputs, "upper_over_lower"))
    for name, rows in step_rows(inputs).groupby("group"):
        task, first = inputs.label(str(name)), begins(inputs.evidence, str(name))
        parts: dict[str, list[str]] = {}
        for layer in sorted(set(rows.layer), key=lambda layer: first.get(layer, inf)):
            when = f"from update {first[layer]} on" if layer in first else "not surely"
            parts.setdefault(when, []).append(str(layer))
        text = "; ".join(f"{when} {listed(layers)}" for when, layers in parts.items())
        yield f"{task}: layers that matter, {text}."
        if gaps.get(task):
            last = max(gaps[task], key=lambda row: int(row["step"]))
            yield (
                "After the last update an upper layer costs more than a lower one by "
                f"{bounded(*estimate(last), digits=2, sign=True)} nats."
            )


@sentences
def patched_caption(inputs: PageInputs) -> Iterator[str]:
    """What the tuned state of the match does to the pre-trained encoder, in the deepest layer."""
    rows = rows_of(inputs.results, "patch_excess", BEFORE, "match")
    for row in records(rows[rows.layer == rows.layer.max()]):
        yield (
            f"{plain(row['label'])}: the tuned state of the match at layer {row['layer']}, "
            f"put into the pre-trained encoder, moves the AUC by {signed(row['value'])} points."
        )


def _of_encoder(inputs: PageInputs, *of: Any) -> dict[str, float]:
    """Label of a task to the number of all layers together."""
    found = _by_task(inputs, *of)
    return {task: rows[0]["value"] for task, rows in found if rows[0]["layer"] == NO_LAYER}


def _control(inputs: PageInputs) -> pd.DataFrame:
    return rows_of(inputs.results, "seed_barrier", SHUFFLED)


def _tasks(*metrics: str) -> Callable[[PageInputs], list[str]]:
    return lambda inputs: tasks_of(inputs.results, *metrics)


def _bits(metric: str) -> Callable[[PageInputs], pd.DataFrame]:
    """Bits of the MLP probe, over all labels."""
    of = {"study": "classify", "metric": metric, "classifier": "mlp", "label": ""}
    return lambda inputs: select(inputs.results[inputs.results.layer >= 0], **of)


def _by_part(metric: str) -> Callable[[PageInputs], pd.DataFrame]:
    """Numbers of the parts of each layer."""
    of = {"study": STUDY, "metric": metric, "state": AFTER, "part": PARTS}
    return lambda inputs: select(inputs.results[inputs.results.layer > 0], **of)


MATTERED = HeatMaps(
    "changed-mattered",
    "What matters: one layer of the other encoder",
    axis="task",
    reading="A cell is a task and a layer: what its score gains (green) or loses (purple), in "
    "points, when this layer alone comes from the other encoder, under the tuned head. First map: "
    "a layer of the tuned encoder is put back to its pre-trained weights. Second: a tuned layer is "
    "put into the pre-trained encoder. Intervals are paired.",
    caption=mattered_caption,
    groups=lambda inputs: list(dict.fromkeys(mattered_rows(inputs).group)),
    label=str,
    rows=mattered_rows,
    x="layer",
    y="task",
    scale="points",
    y_up=False,
    row_height=18,
    digits=1,
    diverging=True,
)
CHANGED = Curves(
    "vectors-moved",
    "How far vectors move, and what each layer costs",
    axis="%; points",
    reading="First of each pair: how far the vectors of word pieces moved in a layer, as a share "
    "of their spread before tuning (a jackknife over groups of texts). Second: what the score "
    "gains or loses when one layer alone comes from the other encoder, under the tuned head: blue, "
    "a layer of the tuned encoder is put back; orange, a tuned layer is put into the pre-trained "
    "one. A layer that moves far and costs nothing has changed without mattering. Bands are paired "
    "intervals over texts.",
    caption=changed_caption,
    groups=_tasks(),
    quantities=[
        Quantity("vectors moved, %", _of("difference", state=(AFTER, BEFORE)), around=[0.0]),
        Quantity("score, layer changed, points", _of("layer_score_change", part=""), around=[0]),
    ],
    series=BOTH,
)
PUT_BACK = Curves(
    "put-back",
    "How much of the encoder must be tuned",
    axis="score, %",
    reading="The other layers are pre-trained; embeddings count as below. The head is the tuned "
    "one throughout. The most frequent answer stands in the heading.",
    caption=put_back_caption,
    groups=_tasks(),
    quantities=[
        Quantity("score", _of("up_to_score"), baseline=_of("majority"), baseline_label="majority")
    ],
    series=[
        renamed(FINETUNED, AFTER, "only the layers above this one tuned"),
        renamed(PRETRAINED, BEFORE, "only this layer and those below tuned"),
    ],
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
    groups=_tasks(),
    rev="part",
    quantities=[
        Quantity("weights moved, %", _by_part("weight_change"), around=[0.0]),
        Quantity("effective rank", _by_part("effective_rank"), digits=2, around=[0.0, 1.0]),
        Quantity("loss, part put back", _by_part("layer_loss_change"), digits=2, around=[0.0]),
    ],
    series=[renamed(look, part) for look, part in zip(RUNS[3:5], PARTS, strict=True)],
    in_row=3,
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
    groups=_tasks("erasure_excess"),
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
)


INFORMATION = Curves(
    "information",
    "How many bits of a label its vector gives",
    axis="bits per example",
    reading="First of each pair: the V-information of the vectors of a layer for the MLP probe, in "
    "bits a test example; what the type of the word alone gives stands in the heading, and random "
    "weights are the control. Second: what tuning added for the same examples. Bands are intervals "
    "over texts and initialisations, of the second a paired one.",
    caption=information_caption,
    groups=lambda inputs: sorted(set(_bits("v_information")(inputs).task)),
    quantities=[
        Quantity(
            "bits given",
            _bits("v_information"),
            digits=2,
            around=[0.0],
            baseline={"study": "classify", "metric": "v_information", "classifier": "word-type"},
            baseline_label="word type",
        ),
        Quantity("bits added", _bits("v_gain"), digits=2, around=[0.0]),
    ],
)
PATH = Curves(
    "path",
    "Between the pre-trained and the tuned weights",
    axis="score, %; nats",
    reading="Score and loss under the tuned head where every weight of the encoder lies so many "
    "percent of the way from its pre-trained to its tuned value; beyond 100 it goes further. Bands "
    "are intervals over texts. A loss that rises above the straight line between its ends is a "
    "barrier. Under several seeds also the loss between two of them, their heads interpolated too; "
    "the control has the function of the second, with its hidden units in random order.",
    caption=path_caption,
    groups=_tasks("path_loss"),
    x=WAY,
    also=lambda _, rows: rows.rename(columns={"step": WAY}),
    quantities=[
        Quantity("score", _of("path_score"), baseline=_of("majority"), baseline_label="majority"),
        Quantity("loss, nats", _of("path_loss"), digits=2),
        Quantity(
            "loss to another seed",
            _of("seed_path_loss"),
            digits=2,
            undefined=lambda inputs: (
                set(inputs.results.task) - set(tasks_of(inputs.results, "seed_path_loss"))
            ),
        ),
    ],
    series=lambda inputs: [FINETUNED, *[REORDERED] * bool(len(_control(inputs)))],
)
STEPS = HeatMaps(
    "layer-steps",
    "While it is tuned: from when a layer matters",
    axis="layer",
    reading="A cell is a layer and a number of updates: how much the loss of the encoder and head "
    "of then rises when this layer alone is put back to its pre-trained weights, on test texts. "
    "Before the first update nothing differs. A layer counts as mattering from the first step on "
    "from which its paired interval, widened for the number of steps, stays above zero.",
    caption=steps_caption,
    groups=lambda inputs: tasks_of(inputs.results, "step_layer_loss_change"),
    rows=step_rows,
    x="step",
    scale="nats",
)
PATCHED = Curves(
    "patched",
    "Which words carry what tuning changed in a pair",
    axis="points of AUC",
    reading="At a layer, the anchor or the match of a pair gets the state of the other encoder, "
    "and the AUC of the match in the last layer is read; less what it does to as many other words. "
    "First of each pair: states of the tuned encoder in the pre-trained one; second: the reverse. "
    "Bands are paired intervals over documents.",
    caption=patched_caption,
    groups=lambda inputs: patched_probes(inputs.results),
    label=plain,
    by="label",
    rev="part",
    quantities=[
        Quantity("tuned into pre-trained", _of("patch_excess", state=BEFORE), around=[0.0]),
        Quantity("pre-trained into tuned", _of("patch_excess", state=AFTER), around=[0.0]),
    ],
    series=[renamed(FINETUNED, "anchor"), renamed(PRETRAINED, "match")],
)


ANSWER = answer(
    "answer-matters",
    "What matters",
    "What matters: points that the tuned encoder loses with one layer put back.",
    Quantity("points lost, layer put back", lost_rows, around=[0.0], baseline=0.0),
)


def methods(_: PageInputs) -> str:
    """How the study measures."""
    return (
        "Layers of the tuned and of the pre-trained encoder change places, and the tuned head "
        "reads the result; a pass begins at the lowest layer that differs, so that each mixture "
        "gives to the last bit what an encoder with these weights gives. Texts are sampled; all "
        "mixtures are scored on the same bootstrap samples of them. Where no sample of a score "
        "differs, the interval is that of a share of which none was seen. Vectors are those of "
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
    f"Cai et al. 2020, {ELAZAR}, {ETHAYARAJH}, {HAO}, Hu et al. 2022, {JUNEJA}, Kovaleva et al. "
    f"2019, Merchant et al. 2020, {NEYSHABUR}, {PRAKASH}, {SHUTTLEWORTH} and {ZHANG}",
    methods,
    notes,
    MEASURES,
    [MATTERED, PUT_BACK, CHANGED, WEIGHTS, ERASURE, INFORMATION, PATH, STEPS, PATCHED],
    CHANGE_CLAIMS,
    shown=("changed-mattered", "put-back"),
    answer=ANSWER,
    finding=finding,
)
