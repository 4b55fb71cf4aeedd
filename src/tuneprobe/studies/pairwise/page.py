"""The pairwise study on the page: Figure 1 and Table 2 of Cai et al. 2020, and the controls."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from math import isfinite, nan
from typing import Any

import pandas as pd

from tuneprobe.collect.estimates import NOT_MEASURED, Estimate, estimates
from tuneprobe.collect.tables import last_layer, records, select
from tuneprobe.measures import PERCENT, POINTS
from tuneprobe.page.blocks import NOTHING, Cell, Funnel, Rows, ScoreTable
from tuneprobe.page.charts import GAP as GAP_LOOK
from tuneprobe.page.charts import STATES
from tuneprobe.page.figures import (
    Beside,
    Curves,
    Plot,
    Quantity,
    Tabled,
    answer,
    over_tasks,
    sentences,
)
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.study import Study, published
from tuneprobe.states import NO_ENCODER
from tuneprobe.studies.pairwise.claims import PAIRWISE_CLAIMS
from tuneprobe.studies.pairwise.measures import (
    AFTER,
    ANSWER_METRICS,
    BEFORE,
    COSINE,
    EUCLIDEAN,
    GAP,
    HEADLINE_ANSWERS,
    HOW,
    LENS,
    LINEAR,
    MEASURES,
    OTHER,
    PAIR_PROBES,
    PLAIN,
    PROBES,
    SPECIFIC,
    TYPE,
    WORDS,
    usual,
)
from tuneprobe.wording import (
    bounded,
    layer_ranges,
    listed,
    number,
    plain,
    score_label,
    signed,
    spread,
)

CHANCE = 50.0
PAPER_LAYERS = 12
PUBLISHED = published(__file__)
ANSWER_STATES = {
    "random": "Random encoder, untrained head",
    "pretrained": "Pre-trained, untrained head",
    "frozen": "Pre-trained and frozen, trained head",
    "finetuned": "Fine-tuned",
}
AUC = {"study": "pairwise", "metric": "auc_macro"}
MATCHED = {**PLAIN, "negatives": "length-matched"}
CENTRED = {**WORDS, "centred": 1}
WITHOUT_AXIS = {**WORDS, "axis_removed": 1}
BOTH = {**PLAIN, "negatives": "length-matched", "centred": 1}
At = Mapping[tuple[str, str], float]  # (probe, state) to a number


def _auc(label: str, facets: Mapping[str, Any], groups: Sequence[str] = PAIR_PROBES) -> Quantity:
    return Quantity(label, AUC | dict(facets), around=[CHANCE], groups=groups)


def _gap(label: str, facets: Mapping[str, Any], groups: Sequence[str]) -> Quantity:
    where = {"study": "pairwise", "metric": "gap", "state": AFTER, **GAP, **facets}
    return Quantity(label, where, groups=groups)


def significance(inputs: PageInputs, gaps: pd.DataFrame) -> pd.DataFrame:
    """The gaps with ``significant``: whether Holm's p-value is below alpha."""
    keys = ["task", "layer", *HOW]
    p = select(inputs.results, study="pairwise", metric="p_holm", state=AFTER, **GAP)
    p_holm = p.set_index(keys).value.reindex(pd.MultiIndex.from_frame(gaps[keys])).to_numpy()
    return gaps.assign(
        significant=["yes" if one < inputs.evidence.alpha else "no" for one in p_holm]
    )


# captions


def at_last(inputs: PageInputs, facets: Mapping[str, Any] | None = None) -> dict[Any, float]:
    """(probe, state) to auc_macro at the last layer, where measured."""
    evidence, places = inputs.evidence, product(PROBES, [state.name for state in STATES])
    of = ("auc_macro", evidence.last)
    found = {place: evidence.number(*place, *of, **(facets or {})).value for place in places}
    return {place: value for place, value in found.items() if isfinite(value)}


def differences(values: At) -> dict[str, float]:
    """Fine-tuned minus pre-trained for each probe that has both."""
    return {
        probe: values[probe, AFTER] - values[probe, BEFORE]
        for probe in PROBES
        if {(probe, AFTER), (probe, BEFORE)} <= values.keys()
    }


@partial(sentences, nothing="There are no two states to compare.")
def layers_caption(inputs: PageInputs) -> Iterator[str]:
    """In how many probes fine-tuned is above pre-trained, and where most."""
    values = at_last(inputs)
    if gaps := differences(values):
        widest = _widest(gaps)
        yield (
            f"At layer {inputs.evidence.last} the fine-tuned encoder scores above the pre-trained "
            f"one in {sum(gap > 0 for gap in gaps.values())} of {len(gaps)} probes (cosine; for "
            f"boundary the linear head). The difference is widest in {plain(widest)}: "
            f"{number(values[widest, AFTER])} against {number(values[widest, BEFORE])}."
        )
        if random := _of_state(values, "random"):
            yield f"An encoder with random weights scores {spread(random)} there."


def trend_caption(inputs: PageInputs) -> str:
    """What Euclidean distance gives at the last layer in each state."""
    values = at_last(inputs, EUCLIDEAN)
    parts = [
        f"{state.label} {spread(found)}"
        for state in STATES
        if (found := _of_state(values, state.name))
    ]
    if not parts:
        return "Euclidean distance was not measured."
    return f"By Euclidean distance the last layer scores {listed(parts)}."


def _of_state(values: At, name: str) -> list[float]:
    return [value for (_, state), value in values.items() if state == name]


def _widest(gaps: Mapping[str, float]) -> str:
    return max(gaps, key=lambda probe: abs(gaps[probe]))


def finding(inputs: PageInputs) -> str:
    """In which abilities what is due to the pair itself clearly rises, and in which it falls."""
    changes = specific_changes(inputs)
    if not changes:
        return ""
    parts = []
    for verb, sign in (("rises", 1), ("falls", -1)):
        sure = [one for one, of in changes.items() if min(sign * of.low, sign * of.high) > 0]
        widest, *others = sorted(sure, key=lambda one: -abs(changes[one].value)) or ["none"]
        most = f" ({bounded(*changes[widest], sign=True)} points)" if sure else ""
        parts.append(f"{verb} in {listed([f'{plain(widest)}{most}', *map(plain, others)])}")
    text = f"Pairs: of {len(changes)} abilities, what is due to the pair itself clearly "
    return f"{text}{', and '.join(parts)} at the last layer."


@partial(sentences, nothing="There are no gaps to show.")
def gaps_caption(inputs: PageInputs) -> Iterator[str]:
    """Which layers differ, and in which probes the gap grows across the mark."""
    evidence = inputs.evidence
    rows = select(inputs.results, study="pairwise", metric="gap", state=AFTER, **GAP)
    if not len(rows):
        return
    points = significance(inputs, rows)
    different, equal = [], []
    for probe in PROBES:
        rows = select(points, task=probe, **usual(probe))
        if layers := rows.layer[rows.significant == "yes"].tolist():
            different.append(f"{plain(probe)} (layers {layer_ranges(layers)})")
        elif len(rows):
            equal.append(plain(probe))
    if different:
        yield f"The two states differ significantly in {listed(different)}."
        if equal:
            yield f"No layer differs in {listed(equal)}."
    else:
        yield "No layer of any probe differs significantly."
    growth = [(probe, evidence.number(probe, AFTER, "contrast", **GAP)) for probe in PROBES]
    grown = [f"{plain(probe)} {bounded(*one, sign=True)}" for probe, one in growth if one.low > 0]
    above = f"above layer {evidence.mark} than up to it"
    if grown:
        yield f"The gap is larger {above} in {listed(grown)}."
    else:
        yield f"In no probe is the gap shown to be larger {above}."


@partial(sentences, nothing="The random encoder, which would show the bias, is missing.")
def negatives_caption(inputs: PageInputs) -> Iterator[str]:
    """What the random encoder scores with and without the bias; which gaps survive."""
    words, matched = (at_last(inputs, EUCLIDEAN | one) for one in ({}, MATCHED))
    pairs = [
        f"{plain(probe)} {number(words[probe, 'random'])} and {number(matched[probe, 'random'])}"
        for probe in PAIR_PROBES
        if (probe, "random") in words.keys() & matched.keys()
    ]
    if not pairs:
        return
    yield (
        "Under Euclidean distance an encoder with random weights, which should be at chance, 50, "
        "scores at its last layer against single words and against windows as long as the match: "
        f"{'; '.join(pairs)}."
    )
    gaps, controlled = differences(words), differences(matched)
    if gaps:
        kept = sum(gap * controlled.get(probe, nan) > 0 for probe, gap in gaps.items())
        yield (
            "The gap between fine-tuned and pre-trained has the same sign under the control in "
            f"{kept} of {len(gaps)} probes."
        )


def centred_caption(inputs: PageInputs) -> str:
    """By how much the mean vector moves each state."""
    as_it_is, centred = at_last(inputs, COSINE), at_last(inputs, COSINE | CENTRED)
    parts = []
    for state in STATES:
        moved = {
            probe: centred[probe, state.name] - as_it_is[probe, state.name]
            for probe in PAIR_PROBES
            if (probe, state.name) in as_it_is.keys() & centred.keys()
        }
        if moved:
            widest = _widest(moved)
            parts.append(f"{signed(moved[widest])} ({state.label}, {plain(widest)})")
    if not parts:
        return "There are no centred vectors to compare."
    return (
        "Largest change at the last layer when the mean vector is subtracted, in points: "
        f"{', '.join(parts)}."
    )


def specific_changes(inputs: PageInputs) -> dict[str, Estimate]:
    """What tuning adds to the pair-specific part of each probe at the last layer."""
    of = (AFTER, "gap", inputs.evidence.last)
    changes = {
        probe: inputs.evidence.number(probe, *of, **{**usual(probe), **SPECIFIC, **GAP})
        for probe in PROBES
    }
    return {probe: change for probe, change in changes.items() if isfinite(change.value)}


def specific_caption(inputs: PageInputs) -> str:
    """What of each probe's change is due to the pair itself."""
    changes = specific_changes(inputs)
    told = [f"{plain(probe)} {bounded(*one, sign=True)}" for probe, one in changes.items()]
    if not told:
        return "No foreign anchors were ranked."
    return (
        "What fine-tuning adds to the pair-specific part at the last layer, in points: "
        f"{'; '.join(told)}."
    )


def axis_caption(inputs: PageInputs) -> str:
    """Which share of the variance lies along one axis, before and after."""
    rows = select(inputs.results, study="pairwise", metric="axis_share")
    last = select(rows, layer=last_layer(inputs.results))
    shares = dict(zip(last.state, 100 * last.value, strict=True))
    if not {BEFORE, AFTER} <= shares.keys():
        return "The share of the principal axis was not measured in both states."
    return (
        f"At the last layer the first principal axis holds {number(shares[BEFORE])} % of the "
        f"variance of the paragraphs’ words before tuning and {number(shares[AFTER])} % after."
    )


# figures

SHARED: dict[str, Any] = {
    "axis": "AUC, %",
    "groups": lambda _: PROBES,
    "label": plain,
    "template": "layer_curves",
    "mark": True,
    "together": True,
    "better": True,
    "beside": [Beside("eq. 3", {"metric": "eq3"})],
}
LAYERS = Curves(
    "layers",
    "Five abilities, layer by layer",
    reading="Each panel is one ability. A curve is the share of unmatched pairs that score below "
    "the matched pair, averaged over examples: higher is better, chance is 50 (dotted). Bands are "
    "bootstrap intervals; the vertical line is the layer mark. Where the two states coincide, "
    "orange dashes lie on the blue line.",
    caption=layers_caption,
    quantities=[_auc("cosine", COSINE), _auc("linear head", LINEAR, ["boundary"])],
    **SHARED,
)
OTHER_SCORES = replace(
    LAYERS,
    name="other-scores",
    title="The same by Euclidean distance, and by the QA head",
    caption=trend_caption,
    quantities=[_auc("Euclidean", EUCLIDEAN), _auc("QA head", LENS, ["boundary"])],
)
LAYERS_PLOT = replace(
    LAYERS,
    name="layers-of-the-focus",
    quantities=[
        _auc("cosine", COSINE),
        _auc("Euclidean", EUCLIDEAN),
        _auc("linear head", LINEAR, ["boundary"]),
        _auc("QA head", LENS, ["boundary"]),
    ],
    plot=Plot("layers", "layer_curves", "layer", "AUC, %"),
)
SPECIFIC_FIGURE = Curves(
    "specific",
    "What is due to this pair",
    axis="points of AUC",
    reading="The pair-specific part of the score: AUC with the own anchor minus the mean AUC of "
    "the same match with anchors of other questions (for boundary: after the words of another "
    "question). 0 (dotted) means that the match is near anything like the anchor, not near this "
    "one; an encoder with random weights should be there. The type part of answer type compares "
    "anchors with the same question word to anchors with other ones.",
    caption=specific_caption,
    groups=lambda _: PROBES,
    label=plain,
    quantities=[
        Quantity("cosine", AUC | COSINE | SPECIFIC, around=[0.0], groups=PAIR_PROBES, baseline=0.0),
        Quantity("type part", AUC | COSINE | TYPE, groups=["answer-type"], baseline=0.0),
        Quantity("linear head", AUC | LINEAR | SPECIFIC, groups=["boundary"], baseline=0.0),
        Quantity("QA head", AUC | LENS | SPECIFIC, groups=["boundary"], baseline=0.0),
    ],
    template="curves",
    mark=True,
    beside=[Beside("other anchors", OTHER)],
    plot=Plot("specific", "curves", "layer", "points of AUC"),
)
PAIR_CONTROLS = Curves(
    "pair-controls",
    "Controls: length, mean vector, principal axis",
    reading="One row of panels per ability. Euclidean against windows with as many words as the "
    "match: a mean of several vectors lies closer to everything, and only such windows remove "
    "that. Cosine with the mean vector of the layer subtracted, which takes out the common "
    "direction; and with the first principal axis of the layer’s words removed, because tuning may "
    "put one direction (“is the answer”) into all words.",
    caption=lambda inputs: " ".join(
        write(inputs) for write in (negatives_caption, centred_caption, axis_caption)
    ),
    quantities=[
        _auc("Euclidean, length-matched", EUCLIDEAN | MATCHED),
        _auc("cosine, length-matched", COSINE | MATCHED),
        _auc("cosine, centred", COSINE | CENTRED),
        _auc("cosine, without the axis", COSINE | WITHOUT_AXIS),
    ],
    **SHARED,
)
CONTROLS = Curves(
    "controls",
    "Controls, layer by layer",
    quantities=[
        _auc("cosine, length-matched", COSINE | MATCHED),
        _auc("cosine, centred", COSINE | CENTRED),
        _auc("Euclidean, length-matched", EUCLIDEAN | MATCHED),
        _auc("Euclidean, centred", EUCLIDEAN | CENTRED),
    ],
    plot=Plot("controls", "layer_curves", "layer", "AUC, %"),
    **SHARED,
)
GAPS = Curves(
    "gaps",
    "What fine-tuning adds, layer by layer",
    axis="points of AUC",
    reading=lambda inputs: (
        "Each point is the mean difference over the same examples, in points of "
        f"AUC. A filled point differs from zero (Holm, {inputs.evidence.alpha:.2g}); the grey band "
        f"is the equivalence margin of ±{inputs.margin:g} points; the vertical line is the layer "
        "mark."
    ),
    caption=gaps_caption,
    groups=lambda _: PROBES,
    label=plain,
    quantities=[_gap("cosine", COSINE, PAIR_PROBES), _gap("linear head", LINEAR, ["boundary"])],
    rev="metric",
    series=[GAP_LOOK],
    template="gap_curves",
    signed=True,
    mark=True,
    together=True,
    margin=True,
    beside=[
        Beside(label, {"metric": metric}, significant=True)
        for label, metric in (("p", "p"), ("p, Holm", "p_holm"), ("p, equal", "equivalence_p"))
    ],
    also=significance,
    keep=["significant"],
    plot=Plot("gaps", "gap_curves", "layer", "points of AUC", title="Fine-tuned minus pre-trained"),
)


ANSWER = answer(
    "answer-pairs",
    "What the probes say",
    "Pairs: the share of unmatched pairs that score below the matched one; its intervals are in "
    "the figures of the study.",
    Quantity(
        "unmatched pairs below the matched one, %",
        lambda inputs: over_tasks(
            pd.concat(select(inputs.results, task=probe, **AUC, **usual(probe)) for probe in PROBES)
        ).assign(low=nan, high=nan),
        around=[CHANCE],
        baseline=CHANCE,
    ),
    better=True,
)

# tables


def answer_table(inputs: PageInputs) -> ScoreTable:
    """Table 2 of the paper and, under the same columns, ours."""
    ours = list(answer_rows(inputs))
    theirs = [
        (label, [*(Cell(score, digits=2) for score in scores), NOTHING, NOTHING])
        for label, scores in PUBLISHED["rows"].items()
    ]
    return ScoreTable(
        "answers",
        "Table 2 of Cai et al. 2020",
        "Answering questions",
        "Precision, recall and F1 of long and short answers, exact match and F1 of single answers, "
        "in percent, beside Table 2 of Cai et al. 2020",
        [("Long answer", 3), ("Short answer", 3), ("Single answer", 2)],
        ["P", "R", "F1", "P", "R", "F1", "EM", "F1"],
        [
            Rows("Cai et al. 2020, BERT-base on Natural Questions", False, theirs),
            Rows(f"This run, {inputs.encoder} on {inputs.corpus}", True, ours),
        ],
        PUBLISHED["notes"],
        [] if ours else ["the study ‘evaluate’ has not run; only the published rows are shown"],
        said=_answers_said(inputs),
    )


def _answers_said(inputs: PageInputs) -> str:
    """F1 of short answers of each state."""
    rows = select(answers_of(inputs.results), metric="short_f1", state=list(ANSWER_STATES))
    found = [
        f"{ANSWER_STATES[state].lower()} {number(value)}"
        for state, value in zip(rows.state, rows.value, strict=True)
    ]
    return f"F1 of short answers, in percent: {'; '.join(found)}." if found else ""


def answers_of(results: pd.DataFrame) -> pd.DataFrame:
    """Scores of answers to questions; the other tasks that `evaluate` scores are labels."""
    rows = select(results, study="evaluate", metric=ANSWER_METRICS)
    return rows[(rows.threshold != "") | (rows.readout != "")]


def answer_rows(inputs: PageInputs) -> Iterator[tuple[str, list[Cell]]]:
    """Our rows of Table 2: label, and the numbers of `ANSWER_METRICS`."""
    rows = answers_of(inputs.results)
    of_states = [(label, select(rows, state=state)) for state, label in ANSWER_STATES.items()]
    baselines = select(rows, state=NO_ENCODER).groupby("classifier")
    for label, some in [*of_states, *((f"No encoder: {plain(str(n))}", of) for n, of in baselines)]:
        if len(some):
            found = dict(zip(some.metric, estimates(some), strict=True))
            yield label, [Cell(*found.get(name, NOT_MEASURED)) for name in ANSWER_METRICS]


def funnel(inputs: PageInputs) -> Funnel:
    """Where the examples come from."""
    groups = []
    for probe in dict.fromkeys(inputs.funnel.probe):
        rows = inputs.funnel[inputs.funnel.probe == probe].drop(columns="probe")
        share = (100 * rows.kept / max(1, (rows.kept + rows.dropped).max())).round(1)
        groups.append((probe, records(rows.fillna({"reason": ""}).assign(share=share))))
    kept = [f"{plain(str(probe))} {steps[-1]['kept']:,}" for probe, steps in groups]
    said = f"Examples kept: {', '.join(kept)}." if kept else ""
    return Funnel("funnel", "Where the examples come from", groups, said)


# headline

HEADLINE_PARTS = {"last": (PERCENT, {}), "specific": (POINTS, SPECIFIC)}
HEADLINE_UNITS = {
    **{
        f"{probe.replace('-', '_')}_{what}": unit
        for probe in PROBES
        for what, (unit, _) in HEADLINE_PARTS.items()
    },
    **dict.fromkeys(HEADLINE_ANSWERS, PERCENT),
}


def headline(results: pd.DataFrame, focus: str) -> dict[str, Estimate]:
    """Estimates of the state `focus`.

    Per probe, in its usual condition and as auc_macro, at the last layer: ``<probe>_last`` (chance
    is 50) and ``<probe>_specific``, its pair-specific part (chance is 0). Then ``long_f1``,
    ``short_f1`` and, for corpora with single answers, ``f1``.
    """
    answers = select(answers_of(results), state=focus, metric=HEADLINE_ANSWERS)
    of_answers = dict(zip(answers.metric, estimates(answers), strict=True))
    return dict(_probe_numbers(results, focus)) | of_answers


def _probe_numbers(results: pd.DataFrame, focus: str) -> Iterator[tuple[str, Estimate]]:
    rows = select(results, study="pairwise", metric="auc_macro", state=focus)
    rows = select(rows, layer=last_layer(results))
    for probe, (what, (_, part)) in product(PROBES, HEADLINE_PARTS.items()):
        if found := estimates(select(rows, task=probe, **{**usual(probe), **part})):
            yield f"{probe.replace('-', '_')}_{what}", found[0]


def scores_table(inputs: PageInputs, focus: str) -> pd.DataFrame:
    """The answers of the focus, a row per score."""
    rows = select(answers_of(inputs.results), state=focus).set_index("metric").value
    body = []
    for metric in ANSWER_METRICS:
        if metric in rows.index:
            answer, _, name = metric.partition("_")
            nested = answer in ("long", "short")
            label = score_label(name if nested else metric)
            body.append((f"{answer if nested else 'single'} answer", label, rows[metric]))
    return pd.DataFrame(body, columns=["panel", "metric", "value"])


SCORES = Tabled(
    "scores",
    "Answering questions",
    table=scores_table,
    plot=Plot("scores", "scores", "percent", "", x="value", y="metric"),
)

# text


def methods(inputs: PageInputs) -> str:
    """How the study measures."""
    return (
        "No probe is trained. A matched pair (an anchor in the question, its match in the "
        "paragraph) is ranked against the same anchor paired with other words of the paragraph; a "
        "tie counts as lost. A word’s vector is the mean of its word pieces, a span’s vector the "
        "mean of its words; layer 0 is the embedding output. Intervals are "
        f"{100 * inputs.confidence:g} % bootstrap intervals over paragraphs (BCa, or Student’s "
        "where that is wider). The pair-specific "
        "part of a score is the AUC with the own anchor minus the mean AUC with anchors of other "
        "questions, same match and negatives. Differences "
        "between states are paired over the same examples and tested by random sign flips, with "
        "Holm’s correction over the layers of a probe; equality is tested by two one-sided tests. "
        f"The layer mark is layer {inputs.evidence.mark}."
    )


def notes(inputs: PageInputs) -> Iterator[str]:
    """How this run differs from the paper."""
    n_layers, mark = last_layer(inputs.results), inputs.evidence.mark
    if n_layers > 0 and n_layers != PAPER_LAYERS:
        low = layer_ranges(range(1, mark + 1))
        yield (
            f"The paper’s encoder has {PAPER_LAYERS} layers, this one {n_layers}: its mark ‘after "
            f"layer 5’ is scaled to the depth, so that layers {low} count as early and "
            f"{layer_ranges(range(mark + 1, n_layers + 1))} as late."
        )
    if inputs.corpus != "natural-questions":
        yield f"The paper uses Natural Questions; this run uses the corpus ‘{inputs.corpus}’."
    yield (
        "The curves show AUC averaged over examples, whose chance level is 50 for every paragraph "
        "length; the paper’s percentage (equation 3) cannot reach 100 and is in the data tables. "
        "Claim (a) is tested on equation 3."
    )
    yield (
        "The paper says of boundary only that it uses the ‘logits score of each position’. Both "
        "readings are drawn: a linear head trained on each frozen layer, and the QA head trained "
        "for the state (for the pre-trained one on the frozen encoder) applied to every layer."
    )


PAIRWISE = Study(
    "pairwise",
    "Pairs that reading needs",
    "Which abilities that reading comprehension needs become stronger, and from which layer?",
    "Cai et al. 2020",
    methods,
    notes,
    MEASURES,
    [LAYERS, SPECIFIC_FIGURE, GAPS, OTHER_SCORES, PAIR_CONTROLS, answer_table, funnel],
    PAIRWISE_CLAIMS,
    headline,
    HEADLINE_UNITS,
    plots=[LAYERS_PLOT, CONTROLS, SCORES],
    shown=("layers", "specific"),
    answer=ANSWER,
    finding=finding,
    published=PUBLISHED,
)
