"""Figures over the steps of fine-tuning, for each task whose snapshots were measured."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from tuneprobe.collect.tables import select
from tuneprobe.page.blocks import Cell, CellLike, Figure, Panel, Table
from tuneprobe.page.charts import (
    GAP,
    LESS,
    MORE,
    RUNS,
    WIDTH,
    Series,
    colours_of,
    dashes_of,
    draw,
    fill_anchors,
    renamed,
    swatch,
)
from tuneprobe.page.figures import Curves, Quantity
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.render import draw_figure
from tuneprobe.wording import listed, number, signed

DASHES: tuple[tuple[float, ...], ...] = ((1, 0), (6, 3), (1.5, 2.5))
N_SHOWN = len(DASHES)
N_NAMED = 3
NAME_HEIGHT, NAME_WIDTH = 12, 6  # pixels of a line, of a character


def step_figures(inputs: PageInputs) -> Iterator[Figure]:
    """The four figures of every task whose snapshots were measured, as far as its tables go."""
    for task in sorted({key.partition("/")[0] for key in inputs.tables if "/dynamics/" in key}):
        for name, figure in FIGURES.items():
            table = inputs.tables.get(f"{task}/dynamics/{name}")
            if table is not None and len(table):
                yield figure(task, table, inputs)


def label_steps_figure(task: str, steps: pd.DataFrame, inputs: PageInputs) -> Figure:
    """Distance to the nearest label over the steps: three labels that gain most, three least."""
    last = steps[steps.layer == steps.layer.max()]
    ends = last[last.step.isin([last.step.min(), last.step.max()])]
    wide = ends.pivot(index="label", columns="step", values="outside_min").dropna()
    change = (wide.iloc[:, -1] - wide.iloc[:, 0]).sort_values()
    most = list(change.index[::-1][:N_SHOWN])
    least = [label for label in change.index[:N_SHOWN] if label not in most]
    rows = steps[steps.label.isin([*most, *least])].assign(value=lambda one: one.outside_min)
    caption = (
        f"At the last layer {int((change > 0).sum())} of {len(change)} labels are farther from "
        f"the nearest other label after the last update. {most[0]} gains most "
        f"({signed(change.iloc[-1], 2)}), {change.index[0]} least ({signed(change.iloc[0], 2)})."
    )
    if turning := _measured(inputs, task, "n_turning"):
        caption += f" {turning[max(turning)]:.0f} do not go one way all the while."
    return _by_layer(
        inputs,
        f"steps-{task}",
        f"Labels while they are tuned: {inputs.label(task)}",
        rows,
        caption,
        axis="Euclidean distance",
        reading="A panel per layer; the curves are the distance from a label’s hull to the nearest "
        "other hull after so many updates. Green: the labels whose distance rises most at the last "
        "layer; purple: those whose distance rises least, or falls.",
        quantities=[Quantity("to the nearest label", lambda _: rows, digits=2)],
        rev="label",
        series=_label_series(most, MORE) + _label_series(least, LESS),
    )


def similarity_steps_figure(task: str, similarity: pd.DataFrame, inputs: PageInputs) -> Figure:
    """Spatial similarity to the original space over the steps, a panel per layer."""
    linear = similarity[similarity.linear.astype(bool)]
    points = linear.assign(value=linear.spatial_similarity, look=GAP.name)
    never = set(similarity.layer) - set(linear.layer)
    caption = "No layer was linear at two steps."
    if len(points):
        last = points[points.step == points.step.max()]
        least = last.loc[last.value.idxmin()]
        caption = (
            f"After {least.step} updates layer {least.layer} is least like it was, "
            f"{number(least.value, 2)}."
        )
    kept: dict[str, Any] = {"around": [1.0], "digits": 2, "undefined": lambda _: never}
    return _by_layer(
        inputs,
        f"kept-{task}",
        f"The space while it is tuned: {inputs.label(task)}",
        similarity,
        caption,
        axis="correlation",
        reading="A panel per layer; the curve is the spatial similarity of the training examples "
        "after so many updates to those before the first. A point is missing where a space is not "
        "linear.",
        quantities=[Quantity("to the original", lambda _: points, **kept)],
        rev="look",
        series=[replace(GAP, label="to the space before tuning")],
    )


def _by_layer(
    inputs: PageInputs, name: str, title: str, rows: pd.DataFrame, caption: str, **how: Any
) -> Figure:
    """Curves over the steps, a panel per layer of the rows."""
    layers = sorted(rows.layer.unique())
    how |= {"groups": lambda _: layers, "caption": lambda _: caption, "label": _layer_name}
    return draw_figure(Curves(name, title, by="layer", x="step", **how), inputs)


def paths_figure(task: str, paths: pd.DataFrame, inputs: PageInputs) -> Figure:
    """Ways of label centroids through the first two principal components, two layers."""
    labels = sorted(paths.label.unique())[:N_SHOWN]
    first = min(layer for layer in paths.layer if layer > 0 or (paths.layer == 0).all())
    rows = paths[paths.label.isin(labels) & paths.layer.isin([first, paths.layer.max()])]
    series = [renamed(look, label) for label, look in zip(labels, RUNS[3:], strict=False)]
    lengths = _lengths(rows)
    layer, farthest = max(lengths, key=lambda key: lengths[key])
    return Figure(
        f"paths-{task}",
        f"Where centroids go: {inputs.label(task)}",
        f"In the plane drawn, the centroid of {farthest} at layer {layer} ends farthest from its "
        f"start, {number(lengths[layer, farthest], 2)}.",
        "The centroids of some labels from before the first update (ring) to after the last "
        "(point), projected on the two directions along which the centroids of all steps of a "
        "layer vary most. Both axes have the same scale.",
        list(_plane_panels(task, rows.assign(rev=rows.label, text=rows.label), series, inputs)),
        "second component",
        [(swatch(one), one.label) for one in series],
        _plane_table(rows, ["layer", "label", "step"]),
    )


def differences_figure(task: str, differences: pd.DataFrame, inputs: PageInputs) -> Figure:
    """Difference vectors of the label centroids, after minus before."""
    ends = differences.assign(step=1, text="")
    ends["side"] = ["left" if x < 0 else "right" for x in ends.x]
    _, reach = _square(pd.concat([ends, ends.assign(x=0.0, y=0.0)]))
    named = [row for _, of_layer in ends.groupby("layer") for row in _named(of_layer, reach)]
    ends.loc[named, "text"] = ends.label[named]
    rays = pd.concat([ends.assign(x=0.0, y=0.0, step=0, text=""), ends]).assign(rev=GAP.name)
    mean = ends.groupby("layer").length.mean()
    series = replace(GAP, label="one label, after minus before")
    ways = _measured(inputs, task, "direction")
    cosines = listed([f"{number(cosine, 2)} at layer {layer}" for layer, cosine in ways.items()])
    return Figure(
        f"moves-{task}",
        f"Which way labels move: {inputs.label(task)}",
        f"Centroids move farthest at layer {mean.idxmax()} (on average {number(mean.max(), 2)}) "
        f"and least at layer {mean.idxmin()} ({number(mean.min(), 2)})."
        + (f" The mean cosine of the ways of two labels is {cosines}." if ways else ""),
        "Each line is the difference of one label’s centroid after tuning and before, projected on "
        "the two directions along which these differences vary most; the longest are named, as far "
        "as there is room. Both axes have the same scale, the same in all panels.",
        list(_plane_panels(task, rays, [series], inputs, shared=True)),
        "second component",
        [(swatch(series), series.label)],
        _plane_table(ends, ["layer", "label"]),
    )


def _named(ends: pd.DataFrame, reach: float) -> list[Any]:
    """Rows of the longest differences whose names fit into the panel, one below the other."""
    found: list[Any] = []
    per_pixel = 2 * reach / WIDTH
    longest = (ends.x**2 + ends.y**2).sort_values(ascending=False).index
    for row in longest:
        if len(found) == N_NAMED:
            break
        one = ends.loc[row]
        fits = abs(one.x) + NAME_WIDTH * len(one.label) * per_pixel < reach
        beside = ends.loc[found]
        beside = beside[beside.side == one.side]
        if fits and (abs(beside.y - one.y) > NAME_HEIGHT * per_pixel).all():
            found.append(row)
    return found


def _plane_panels(
    task: str, rows: pd.DataFrame, series: list[Series], inputs: PageInputs, *, shared: bool = False
) -> Iterator[Panel]:
    for layer in sorted(rows.layer.unique()):
        here = rows[rows.layer == layer]
        middle, reach = _square(rows if shared else here)
        spec = fill_anchors(
            inputs.templates["scatter_paths"],
            here.assign(panel=f"layer {layer}"),
            x="x",
            y="y",
            x_label="first component",
            color=colours_of(series),
            plot_height=WIDTH,
        )
        lines = spec["spec"]["layer"][0]["encoding"]
        for axis, centre in zip("xy", middle, strict=True):
            lines[axis]["scale"] = {"domain": [centre - reach, centre + reach], "nice": False}
        lines["strokeDash"]["scale"] = dashes_of(series)
        names = listed(sorted(here.label[here.text != ""].unique()))
        label = f"{inputs.label(task)}, layer {layer}: centroids of {here.label.nunique()} labels"
        spoken = f"{label}, among them {names}"
        yield Panel(_layer_name(layer), "principal components", draw(spec, spoken))


def _square(rows: pd.DataFrame) -> tuple[tuple[float, float], float]:
    """Centre and half width of the square around all points, with room for names."""
    spans = [(float(rows[axis].min()), float(rows[axis].max())) for axis in "xy"]
    reach = 0.75 * max(high - low for low, high in spans) or 1.0
    (left, right), (bottom, top) = spans
    return ((left + right) / 2, (bottom + top) / 2), reach


def _lengths(rows: pd.DataFrame) -> dict[tuple[int, str], float]:
    """Distance from start to end by (layer, label)."""
    ordered = rows.sort_values("step").groupby(["layer", "label"])[["x", "y"]]
    moved = ordered.last() - ordered.first()
    return dict(zip(moved.index, (moved.x**2 + moved.y**2) ** 0.5, strict=True))


def _plane_table(rows: pd.DataFrame, keys: list[str]) -> Table:
    ordered = rows.sort_values(keys)
    body: list[list[CellLike]] = [
        [*map(str, key), Cell(x, digits=3), Cell(y, digits=3)]
        for *key, x, y in ordered[[*keys, "x", "y"]].itertuples(index=False)
    ]
    return Table([*keys, "first", "second"], body, n_names=len(keys))


def _label_series(labels: list[str], like: Series) -> list[Series]:
    pairs = zip(labels, DASHES, strict=False)
    return [renamed(replace(like, dash=dash), label) for label, dash in pairs]


def _measured(inputs: PageInputs, task: str, metric: str) -> dict[int, float]:
    """Layer to a number of a task's fine-tuning, in the order of the layers."""
    rows = select(inputs.results, study="dynamics", task=task, metric=metric).sort_values("layer")
    return {int(layer): float(value) for layer, value in zip(rows.layer, rows.value, strict=True)}


def _layer_name(layer: object) -> str:
    return f"layer {layer}"


FIGURES: dict[str, Callable[[str, pd.DataFrame, PageInputs], Figure]] = {
    "steps": label_steps_figure,
    "similarity": similarity_steps_figure,
    "paths": paths_figure,
    "differences": differences_figure,
}
