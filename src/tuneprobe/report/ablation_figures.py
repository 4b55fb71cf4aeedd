"""What a task loses without heads and layers: Figures 8 and 9 of Kovaleva et al. 2019."""

import pandas as pd

from tuneprobe.collect.attention import (
    ABLATION,
    AFTER,
    ablation_changes,
    of_heads,
    shown_ablation,
    task_label,
)
from tuneprobe.collect.tables import records, select
from tuneprobe.formats.results import NO_HEAD
from tuneprobe.report import attention_captions as captions
from tuneprobe.report.attention_charts import block, draw_bars, draw_points, limits
from tuneprobe.report.attention_kinds import absent, head_figure
from tuneprobe.report.blocks import Figure, Panel, Table
from tuneprobe.report.charts import FINETUNED, PRETRAINED, Series
from tuneprobe.report.inputs import PageInputs
from tuneprobe.report.wording import bounded, number, signed

ABLATED = {
    "uniform": "attends evenly to all real tokens",
    "zero": "says nothing",
    "mean": "says what it says on average",
}
BETTER = Series("better", "better without", FINETUNED.colour, (1, 0), FINETUNED.variable)
WORSE = Series("worse", "worse without", PRETRAINED.colour, (1, 0), PRETRAINED.variable)


def head_ablation_figure(inputs: PageInputs) -> Figure:
    """What the score gains without each head."""
    rows = _changes(inputs)
    heads = of_heads(rows)
    reach = max(heads.value.abs().max() if len(heads) else 0.0, 0.1)
    return head_figure(
        inputs,
        {task_label(task): rows[rows.task == task] for task in sorted(set(rows.task))},
        (-reach, reach),
        name="head-ablation",
        title="The task without one head",
        caption=captions.ablation_caption(heads),
        reading="A cell is a head: the score of the fine-tuned encoder without it, less the intact "
        f"score. Blue: better without; orange: worse; no colour: no change. {_reading(inputs)}",
        measure="change of the score, points",
        digits=1,
        diverging=True,
    )


def layer_ablation_figure(inputs: PageInputs) -> Figure:
    """What the score gains without each whole layer."""
    rows = select(_changes(inputs), head=NO_HEAD).sort_values(["task", "layer"])
    domain = limits([*rows.value, *rows.low, *rows.high], 5)
    panels = []
    for task, of_task in rows.groupby("task"):
        bars = of_task.assign(
            name=of_task.layer.map("layer {}".format),
            rev=of_task.value.gt(0).map({True: BETTER.name, False: WORSE.name}),
        )
        ends = f"from {signed(bars.value.min())} to {signed(bars.value.max())} points"
        drawing = draw_bars(
            inputs.templates["interval_bars"],
            bars,
            [BETTER, WORSE],
            f"{task_label(str(task))}: change of the score without each layer, {ends}",
            domain=domain,
        )
        panels.append(Panel(task_label(str(task)), "change of the score, points", drawing))
    return Figure(
        "layer-ablation",
        "The task without one layer’s attention",
        captions.ablation_caption(rows),
        "A bar is the score of the fine-tuned encoder with all heads of a layer ablated, less the "
        f"intact score; right of zero the task is better without. {_reading(inputs)}",
        panels,
        "layer; bars in points",
        [(block(one), one.label) for one in (BETTER, WORSE)] if panels else [],
        _layer_table(rows),
        wide=True,
        missing=absent(inputs, rows),
    )


def importance_figure(inputs: PageInputs) -> Figure:
    """Importance by gradient against the sweep."""
    rows = select(inputs.results, study=ABLATION, state=AFTER)
    keys = ["task", "layer", "head"]
    gradient = select(rows, metric="importance").set_index(keys).value.rename("by gradient")
    shown = shown_ablation(inputs.results)
    change = select(rows, metric="loss_change", condition=shown).set_index(keys).value
    both = pd.concat([gradient, change.rename("change of the loss")], axis=1, join="inner")
    both = both.reset_index()
    spearman = select(rows, metric="importance_spearman", condition=shown)
    rho = spearman.set_index("task").value.to_dict()
    panels = []
    for task, points in both.groupby("task"):
        measure = f"ρ {number(rho[task], 2)}" if task in rho else ""
        label = f"{task_label(str(task))}: {len(points)} heads, importance by gradient and sweep"
        drawing = draw_points(
            inputs.templates["points"], points, label, x="by gradient", y="change of the loss"
        )
        panels.append(Panel(task_label(str(task)), measure, drawing))
    return Figure(
        "importance",
        "A preview by gradient",
        captions.importance_caption(spearman),
        "A point is a head: its importance by gradient (Michel et al. 2019; one forward and one "
        "backward pass) against the change of the loss when it is ablated. Spearman’s ρ is of the "
        "importance with the mean absolute change of the loss.",
        panels,
        "change of the loss without the head",
        [],
        Table(
            ["task", "head", "by gradient", "change of the loss"],
            [
                [
                    task_label(row["task"]),
                    captions.place(row),
                    f"{row['by gradient']:.3g}",
                    f"{row['change of the loss']:.3g}",
                ]
                for row in records(both)
            ],
            n_names=2,
        ),
        missing=absent(inputs, both),
    )


def _changes(inputs: PageInputs) -> pd.DataFrame:
    return select(ablation_changes(inputs.results), state=AFTER)


def _reading(inputs: PageInputs) -> str:
    ablated = ABLATED[shown_ablation(inputs.results)]
    return f"An ablated head {ablated}. Intervals are paired bootstraps over the test examples."


def _layer_table(rows: pd.DataFrame) -> Table:
    body = [
        [
            task_label(row["task"]),
            f"layer {row['layer']}",
            bounded(row["value"], row["low"], row["high"], sign=True),
        ]
        for row in records(rows)
    ]
    return Table(["task", "without", "change, points"], body, n_names=2)
