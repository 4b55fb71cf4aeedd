"""Facets of result rows as one joined string, for readers that still ask for it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tuneprobe.formats.results import NONE


def with_conditions(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the column ``condition``, and states joined with what they are against."""
    if "condition" in rows:
        return rows
    rows = rows.reset_index(drop=True)
    condition = [_condition(row) for row in rows.to_dict("records")]
    joined = rows.metric.isin(["map_similarity", "gap"]) | (rows.study == "pairwise")
    against = joined & (rows.against != "")
    state = rows.state.where(~against, rows.state + "-" + rows.against)
    crossed = rows.tuned_on != ""
    state = state.where(~crossed, rows.state + "-on-" + rows.tuned_on)
    return rows.assign(condition=condition, state=state)


def _condition(row: Mapping[Any, Any]) -> str:
    if row["study"] == "pairwise":
        views = {"centred": row["centred"], "without-axis": row["axis_removed"]}
        view = [name for name, used in views.items() if used == 1]
        places = (row["readout"], row["similarity"], row["negatives"], *view, row["part"])
        return "/".join(filter(None, places))
    if row["study"] == "evaluate":
        if row["threshold"]:
            return "best-threshold"
        return str(row["readout"])
    if row["other"] != NONE:
        return f"layer {row['other']}"
    if row["step"] != NONE:
        return f"step {row['step']}"
    if row["splits"]:
        return str(row["splits"])
    if row["against"] and row["study"] == "similarity":
        return f"{row['state']}/{row['against']}"
    if row["metric"] == "importance":
        return "gradient"
    if row["token_type"]:
        parts = [row["token_type"], f"rows-{row['rows']}" if row["rows"] else ""]
        return "/".join([*filter(None, parts), f"tokens-{row['tokens']}"])
    names = {
        "pattern_share": ("pattern", "classifier"),
        "pattern_agreement": ("score", "classifier"),
        "pair_weight": ("relation", "direction", "pairing"),
    }.get(row["metric"], ("classifier", "label", "scale", "crop", "ablation"))
    return "/".join(filter(None, (str(row[name]) for name in names)))
