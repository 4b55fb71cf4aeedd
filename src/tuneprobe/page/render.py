"""Drawing of figure specs: one function per mark, one pivot, one rule for the limits of an axis."""

from collections.abc import Iterator, Sequence
from functools import singledispatch
from math import ceil, floor, isfinite, log10, nan
from typing import Any

import numpy as np
import pandas as pd

from tuneprobe.collect.estimates import BOUNDS, estimate
from tuneprobe.collect.tables import records, select
from tuneprobe.formats.results import NO_HEAD, significant
from tuneprobe.page.blocks import NOTHING, Cell, CellLike, Figure, Panel, Table
from tuneprobe.page.charts import PRETRAINED, RANDOM, Series, draw_panel, swatch
from tuneprobe.page.figures import Bars, Beside, Curves, HeatMaps, Quantity, Spec, Tabled
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.marks import OUTLINED, block, draw_bars, draw_heat_map, ramp
from tuneprobe.wording import number, signed

EVERYTHING = "every number of this figure"
FLAT = 0.2  # share of a shared axis below which a panel has its own


@singledispatch
def draw_figure(spec: Spec, inputs: PageInputs) -> Figure:
    """The figure that a spec makes of a run."""
    raise TypeError(f"no drawing for {type(spec).__name__}")


@singledispatch
def plot_table(spec: Spec, inputs: PageInputs, focus: str) -> pd.DataFrame:
    """What metrics/plots has of a spec: the numbers of the state `focus`, a row per point."""
    raise TypeError(f"no table for {type(spec).__name__}")


@plot_table.register
def tabled_plot_table(spec: Tabled, inputs: PageInputs, focus: str) -> pd.DataFrame:
    """The table that the spec gives."""
    return rounded(spec.table(inputs, focus))


# curves

Found = tuple[Any, Quantity, pd.DataFrame]  # group, quantity, points of a panel


def curve_points(spec: Curves, inputs: PageInputs, focus: str = "") -> list[Found]:
    """Group, quantity and points of every panel that a run should have, group by group.

    Points have the columns ``rev``, the x axis, ``value``, ``low``, ``high`` and ``baseline``. With
    a `focus`, those of that state alone; rows that name their state are of that one always.
    """
    found = [
        (group, quantity, points[points[spec.by] == group])
        for quantity in spec.quantities
        for points in [_points(spec, quantity, inputs, focus)]
        for group in quantity.groups or spec.groups(inputs)
    ]
    order = list(spec.groups(inputs))
    return sorted(found, key=lambda one: order.index(one[0]) if one[0] in order else len(order))


def _points(spec: Curves, quantity: Quantity, inputs: PageInputs, focus: str) -> pd.DataFrame:
    where = quantity.where
    if callable(where):
        rows = where(inputs)
    else:
        rows = select(inputs.results, **where)
        if focus and spec.rev == "state" and "state" not in where:
            rows = select(rows, state=focus)
    rows = rows[rows[spec.rev].isin([one.name for one in _series(spec, inputs)])]
    rows = rows.assign(rev=rows[spec.rev], baseline=_baselines(quantity, rows, inputs, spec.by))
    for name in BOUNDS:
        rows[name] = rows.get(name, nan) * quantity.factor
    if quantity.over is not None:
        keys = ["task", "state", "layer"]
        below = select(inputs.results, **quantity.over).set_index(keys).value
        rows["value"] = rows.value / below.reindex(pd.MultiIndex.from_frame(rows[keys])).to_numpy()
        rows = rows.dropna(subset="value")
    if spec.also is not None:
        rows = spec.also(inputs, rows)
    rows = rows.sort_values([spec.rev, spec.x], kind="stable")
    return rows[list(dict.fromkeys([spec.by, "rev", spec.x, *BOUNDS, "baseline", *spec.keep]))]


def _baselines(quantity: Quantity, rows: pd.DataFrame, inputs: PageInputs, by: str) -> Any:
    if quantity.baseline is None or isinstance(quantity.baseline, int | float):
        return nan if quantity.baseline is None else float(quantity.baseline)
    known = select(inputs.results, **quantity.baseline).drop_duplicates(by).set_index(by).value
    return rows[by].map(known).astype(float) * quantity.factor


@draw_figure.register
def draw_curves(spec: Curves, inputs: PageInputs) -> Figure:
    """One panel for each group and quantity; a quantity has the same y axis in all groups."""
    found = curve_points(spec, inputs)
    drawn = [points for *_, points in found if len(points)]
    revs = set(pd.concat(drawn).rev) if drawn else set()
    series = [one for one in _series(spec, inputs) if one.name in revs]
    margin = [-inputs.margin, inputs.margin] if spec.margin else []
    domains = {
        id(quantity): limits(
            [points for _, of, points in found if spec.together or of is quantity],
            [*quantity.around, *margin, *[0.0] * spec.signed],
            quantity.scale,
        )
        for quantity in spec.quantities
    }
    reach = _reach([points[spec.x] for points in drawn])
    panels: list[Panel] = []
    missing: list[str] = []
    undefined: list[str] = []
    below: list[str] = []
    for group, quantity, points in found:
        name = f"{_name(spec, inputs, group)}, {quantity.label}"
        if len(points):
            how = (domains[id(quantity)], reach)
            below += _below_random(spec, name, quantity, points)
            panels.append(_curve_panel(spec, inputs, (group, quantity, points), series, *how))
        else:
            exists = group not in quantity.undefined(inputs)
            (missing if exists else undefined).append(name)
    absent = [one.label for one in _series(spec, inputs) if one not in series]
    return _figure(
        spec,
        inputs,
        panels,
        [(swatch(one), one.label) for one in series],
        _curve_table(spec, inputs, found, series),
        [*missing, *absent] if drawn else [EVERYTHING],
        in_row=spec.in_row,
        undefined=undefined if drawn else [],
        below=below,
    )


@plot_table.register
def curve_plot_table(spec: Curves, inputs: PageInputs, focus: str) -> pd.DataFrame:
    """Points of the focus, a panel per group and quantity."""
    with_baseline = any(quantity.baseline is not None for quantity in spec.quantities)
    columns = ["panel", spec.x, *BOUNDS, *["baseline"] * with_baseline, *spec.keep]
    parts = [
        points.assign(panel=panel_name(spec, inputs, group, quantity))[columns]
        for group, quantity, points in curve_points(spec, inputs, focus)
        if len(points)
    ]
    return rounded(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns))


def panel_name(spec: Spec, inputs: PageInputs, group: Any, quantity: Quantity) -> str:
    """What tables call a panel."""
    return " · ".join(filter(None, [_name(spec, inputs, group), quantity.label]))


def _name(spec: Spec, inputs: PageInputs, group: Any) -> str:
    """What the page calls a group; a task where the spec does not say."""
    return spec.label(group) if spec.label else inputs.label(str(group))


def _figure(
    spec: Spec,
    inputs: PageInputs,
    panels: list[Panel],
    legend: list[tuple[str, str]],
    table: Table,
    missing: list[str],
    **more: Any,
) -> Figure:
    """What a spec says of itself, and what was made of it."""
    reading = spec.reading(inputs) if callable(spec.reading) else spec.reading
    said = (spec.name, spec.title, spec.caption(inputs), reading)
    return Figure(*said, panels, spec.axis, legend, table, missing=missing, **more)


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers with six significant digits."""
    for column in table.columns.intersection(BOUNDS):
        table[column] = table[column].map(significant)
    return table


def limits(
    parts: Sequence[pd.DataFrame], around: Sequence[float] = (), scale: str = "linear"
) -> tuple[float, float]:
    """Round limits of an axis that hold all intervals, and what it should hold in any case.

    >>> limits([pd.DataFrame({"value": [61.0, 83.0], "low": [60.0, 82.0], "high": [62.0, 84.0]})])
    (55.0, 85.0)
    """
    numbers = [part[name].to_numpy(float) for part in parts for name in BOUNDS if name in part]
    values = np.concatenate([*numbers, np.array(around, dtype=float)])
    values = values[~np.isnan(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if scale == "log":
        return low / 1.2, high * 1.2
    reach = high - low or abs(high) or 1.0
    step = _round_step(reach / 10)
    bottom = step * floor((low - 0.02 * reach) / step)
    return max(bottom, 0.0) if low >= 0 else bottom, step * ceil((high + 0.02 * reach) / step)


def _round_step(width: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 … and their tenths that is no less than `width`."""
    power = 10.0 ** floor(log10(width))
    return next(power * part for part in (1, 2, 5, 10) if power * part >= width * 0.999)


def _own_domain(
    points: pd.DataFrame, shared: tuple[float, float], quantity: Quantity
) -> tuple[float, float]:
    """The shared limits, but those of the panel itself where they would draw it flat."""
    own = limits([points], quantity.around, quantity.scale)
    return own if own[1] - own[0] < FLAT * (shared[1] - shared[0]) else shared


def _below_random(
    spec: Curves, name: str, quantity: Quantity, points: pd.DataFrame
) -> Iterator[str]:
    """Where pre-trained lies below random weights at the last place, with both numbers."""
    if not spec.better:
        return
    last = points[points[spec.x] == points[spec.x].max()].set_index("rev").value
    states = (PRETRAINED.name, RANDOM.name)
    if set(states) <= set(last.index) and last[states[0]] < last[states[1]]:
        before, random = (number(last[state], quantity.digits) for state in states)
        yield f"{name} ({before} against {random})"


def _broken(rows: pd.DataFrame, x: str) -> pd.DataFrame:
    """The points of each curve with an empty one where a layer between them has no number."""
    if x != "layer":
        return rows
    layers: dict[str, list[int]] = {}
    for rev, layer in zip(rows.rev.tolist(), rows.layer.tolist(), strict=True):
        layers.setdefault(rev, []).append(layer)
    if all(len(of) == max(of) - min(of) + 1 for of in layers.values()):
        return rows
    parts = []
    for _, curve in rows.groupby("rev", sort=False):
        every = range(int(curve.layer.min()), int(curve.layer.max()) + 1)
        if len(curve) == len(every):
            parts.append(curve)
            continue
        whole = curve.set_index("layer").reindex(pd.Index(every, name="layer")).reset_index()
        for name in whole.columns.difference([*BOUNDS, "layer"]):
            whole[name] = whole[name].ffill()
        parts.append(whole)
    return pd.concat(parts)


def _curve_panel(
    spec: Curves,
    inputs: PageInputs,
    found: Found,
    series: Sequence[Series],
    shared: tuple[float, float],
    reach: tuple[float, float],
) -> Panel:
    group, quantity, points = found
    domain = _own_domain(points, shared, quantity)
    revs, values = points.rev.tolist(), points.value.tolist()
    places = [[at for at, rev in enumerate(revs) if rev == one.name] for one in series]  # by x
    write = signed if spec.signed else number
    spoken = "; ".join(
        f"{one.label} from {write(values[curve[0]], quantity.digits)} to "
        f"{write(values[curve[-1]], quantity.digits)}"
        for one, curve in zip(series, places, strict=True)
        if curve
    )
    group_name = _name(spec, inputs, group)
    name = ", ".join(filter(None, [group_name, quantity.label]))
    heading, baseline = quantity.label, next(iter(points.baseline.dropna()), nan)
    if quantity.baseline_label and isfinite(baseline):
        heading += f", {quantity.baseline_label} {number(baseline, quantity.digits)}"
    if domain != shared:
        heading += ", own scale"
    drawn = points.take([at for curve in places for at in curve]).assign(
        panel=name, baseline=baseline if domain[0] <= baseline <= domain[1] else nan
    )
    ends = f"{spec.x} {points[spec.x].min()} to {points[spec.x].max()}"
    drawing = draw_panel(
        inputs.templates[spec.template],
        _broken(drawn[["rev", "panel", *BOUNDS, "baseline", spec.x, *spec.keep]], spec.x),
        series,
        domain=domain,
        label=f"{name}, {ends}: {spoken}",
        mark=inputs.evidence.mark if spec.mark else None,
        margin=inputs.margin if spec.margin else None,
        x=spec.x,
        x_domain=reach,
        scale=quantity.scale,
    )
    ability, _, rest = group_name.partition(" · ")
    return Panel(ability, ", ".join(filter(None, [rest, heading])), drawing)


def _curve_table(
    spec: Curves, inputs: PageInputs, found: Sequence[Found], series: Sequence[Series]
) -> Table:
    """A row per panel and place on the x axis, a column per series."""
    body: list[list[CellLike]] = []
    for group, quantity, points in found:
        columns = [_cells(spec, quantity, points)]
        columns += [_beside(spec, inputs, group, quantity, more) for more in spec.beside]
        for x in sorted({x for _, x in columns[0]}):
            line = [of.get((one.name, x), NOTHING) for of in columns for one in series]
            body.append([panel_name(spec, inputs, group, quantity), str(x), *line])
    head = ["panel", spec.x, *(one.label for one in series)]
    head += [f"{one.label}, {label}" for label, *_ in spec.beside for one in series]
    return Table(head, body, n_names=2)


def _beside(
    spec: Curves, inputs: PageInputs, group: Any, quantity: Quantity, more: Beside
) -> dict[tuple[str, Any], Cell]:
    """Numbers of a further column of a panel, by series and place."""
    where: Any = quantity.where
    rows = select(inputs.results, **{**where, spec.by: group, **more.differs})
    first = _series(spec, inputs)[0].name
    rows = rows.assign(rev=first if spec.rev in more.differs else rows[spec.rev])
    digits = 3 if more.significant else quantity.digits
    shown: dict[str, Any] = {"digits": digits, "significant": more.significant}
    cells = _cells(spec, quantity, rows)
    return {key: Cell(cell.value, **shown) for key, cell in cells.items()}


def _cells(spec: Curves, quantity: Quantity, points: pd.DataFrame) -> dict[tuple[str, Any], Cell]:
    columns = (points[name].tolist() for name in ("rev", spec.x, *BOUNDS))
    return {
        (rev, x): Cell(value, low, high, quantity.digits, spec.signed)
        for rev, x, value, low, high in zip(*columns, strict=True)
    }


def _series(spec: Curves, inputs: PageInputs) -> Sequence[Series]:
    return spec.series(inputs) if callable(spec.series) else spec.series


def _reach(places: Sequence[pd.Series]) -> tuple[float, float]:
    """First and last place on the x axis of any panel."""
    if not places:
        return 0.0, 1.0
    every = pd.concat(places)
    low, high = float(every.min()), float(every.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


# heat maps


@draw_figure.register
def draw_heat_maps(spec: HeatMaps, inputs: PageInputs) -> Figure:
    """A map per group and measure, all on one scale."""
    rows = spec.rows(inputs)
    drawn = rows[rows[spec.x] != NO_HEAD] if spec.own else rows
    domain = _scale_of(spec, drawn)
    bounds = [name for name in BOUNDS[1:] if name in drawn]
    write = signed if spec.diverging else number
    panels = []
    for (group, measure), cells in drawn.groupby(["group", "measure"], sort=False):
        name = _name(spec, inputs, group)
        low, high = (write(cells.value.agg(end), spec.digits) for end in ("min", "max"))
        drawing = draw_heat_map(
            inputs.templates["heat_map"],
            cells[[spec.x, spec.y, "value", *bounds]],
            f"{name}: {measure}, {spec.y} by {spec.x}, from {low} to {high}",
            x=spec.x,
            y=spec.y,
            domain=domain,
            diverging=spec.diverging,
            y_up=spec.y_up,
            order=[name for name in spec.order if name in set(cells[spec.y])],
            height=spec.row_height * cells[spec.y].nunique(),
        )
        panels.append(Panel(name, str(measure), drawing))
    bar, ends = ramp(domain, diverging=spec.diverging, digits=spec.digits)
    legend = [(bar, f"{spec.scale}: {ends}" if spec.scale else ends)]
    legend += [(OUTLINED, "outlined: interval without zero")] * (spec.diverging and len(bounds) > 0)
    return _figure(
        spec,
        inputs,
        panels,
        legend if panels else [],
        _map_table(spec, inputs, rows),
        _absent(spec, inputs, rows) if spec.expected or not len(rows) else [],
    )


@plot_table.register
def heat_map_plot_table(spec: HeatMaps, inputs: PageInputs, focus: str) -> pd.DataFrame:
    """Cells of the focus, a panel per group."""
    columns = ["panel", spec.y, spec.x, "value"]
    rows = spec.rows(inputs)
    if not len(rows):
        return pd.DataFrame(columns=columns)
    rows = rows[(rows[spec.x] != NO_HEAD) & (rows.state == focus)]
    panels = [_name(spec, inputs, group) for group in rows.group]
    return rounded(rows.assign(panel=panels)[columns].reset_index(drop=True))


def _scale_of(spec: HeatMaps, cells: pd.DataFrame) -> tuple[float, float]:
    """Ends of the colour scale; as far below zero as above where it is `diverging`."""
    values = cells.value if len(cells) else pd.Series([0.0])
    if spec.diverging:
        reach = max(float(values.abs().max()), spec.step)
        return -reach, reach
    low, high = spec.ends
    if low is None:
        low = spec.step * floor(float(values.min()) / spec.step)
    if high is None:
        high = spec.step * ceil(float(values.max()) / spec.step)
    return low, high if high > low else low + spec.step


def _map_table(spec: HeatMaps, inputs: PageInputs, rows: pd.DataFrame) -> Table:
    """A row per panel and value of `y`, a column per value of `x`."""
    places = sorted(set(rows[spec.x])) if len(rows) else []
    body: list[list[CellLike]] = []
    for (group, measure), cells in rows.groupby(["group", "measure"], sort=False):
        values = cells.set_index([spec.y, spec.x]).value.to_dict()
        at = set(cells[spec.y])
        for y in [name for name in spec.order if name in at] or sorted(at):
            line = (values.get((y, x), nan) for x in places)
            marks = [Cell(one, digits=spec.digits, signed=spec.diverging) for one in line]
            body.append([f"{_name(spec, inputs, group)} · {measure}", str(y), *marks])
    names = [spec.own if spec.own and x == NO_HEAD else f"{spec.x} {x}" for x in places]
    return Table(["panel", spec.y, *names], body, n_names=2)


def _absent(spec: Spec, inputs: PageInputs, rows: pd.DataFrame) -> list[str]:
    """Groups of the run that a figure has no rows of; everything where there are none at all."""
    if not len(rows):
        return [EVERYTHING]
    groups = [group for group in spec.groups(inputs) if group not in set(rows.group)]
    return [_name(spec, inputs, group) for group in groups]


# bars


@draw_figure.register
def draw_bar_figure(spec: Bars, inputs: PageInputs) -> Figure:
    """A panel of bars per group."""
    rows = spec.rows(inputs)
    series = [one for one in spec.series if (rows.rev == one.name).any()]
    order = {name: place for place, name in enumerate(spec.names)}
    ranks = [one.name for one in series]
    rows = rows[rows.rev.isin(ranks)]
    rows = rows.assign(_name=rows.name.map(order), _rev=rows.rev.map(ranks.index))
    rows = rows.sort_values(["group", "_name", "_rev"], kind="stable")
    domain = limits([rows], [0.0])
    panels = []
    for group, bars in rows.groupby("group", sort=False):
        name = _name(spec, inputs, group)
        template, spoken = inputs.templates["interval_bars"], f"{name}: {_bar_ends(bars, series)}"
        drawing = draw_bars(template, bars, series, spoken, domain=domain)
        panels.append(Panel(name, spec.measure, drawing))
    return _figure(
        spec,
        inputs,
        panels,
        [(block(one), one.label) for one in series] if panels else [],
        _bar_table(spec, inputs, rows, series),
        _absent(spec, inputs, rows),
    )


def _bar_ends(bars: pd.DataFrame, series: Sequence[Series]) -> str:
    """Smallest and largest bar of each series, in words."""
    parts = []
    for one in series:
        found = records(bars[bars.rev == one.name].sort_values("value", kind="stable"))
        if found:
            ends = (f"{number(end['value'])} ({end['name']})" for end in (found[0], found[-1]))
            parts.append(f"{one.label} from {' to '.join(ends)}")
    return "; ".join(parts)


def _bar_table(
    spec: Bars, inputs: PageInputs, rows: pd.DataFrame, series: Sequence[Series]
) -> Table:
    """A row per bar; a column per series where a bar has several."""
    alone = not rows.duplicated(["group", "name"]).any()
    body: list[list[CellLike]] = []
    for (group, name), bars in rows.groupby(["group", "name"], sort=False):
        cells = {row["rev"]: Cell(*estimate(row)) for row in records(bars)}
        line = [*cells.values()] if alone else [cells.get(one.name, NOTHING) for one in series]
        body.append([_name(spec, inputs, group), str(name), *line])
    head = [spec.measure] if alone else [one.label for one in series]
    return Table(["panel", spec.head, *head], body, n_names=2)
