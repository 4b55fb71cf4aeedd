"""Joined strings of older result tables ("cosine/words/centred", "layer 5") as typed facets."""

from typing import Any

from tuneprobe.formats.results import Result

CROSSED = "finetuned-on-"


def facets(study: str, metric: str, condition: str, state: str) -> dict[str, Any]:
    """Columns of `Result` for the condition and the state of an older row."""
    found: dict[str, Any] = {"state": state}
    if state.startswith(CROSSED):
        found |= {"state": "finetuned", "tuned_on": state.removeprefix(CROSSED)}
    elif "-" in state and (study == "pairwise" or metric in ("map_similarity", "map_floor")):
        found["state"], found["against"] = state.split("-")
    return found | _facets(study, metric, condition, found["state"])


def old_result(study, encoder, task, state, seed, layer, head, metric, condition, *numbers, **more):
    """A row from the columns of older tables, in their order."""
    keys = {"study": study, "encoder": encoder, "task": task, "seed": seed}
    where = {"layer": layer, "head": head, **facets(study, metric, condition, state)}
    return Result(metric, *numbers, **keys, **where, **more)


def _facets(study: str, metric: str, condition: str, state: str) -> dict[str, Any]:
    parts = condition.split("/")
    if not condition or metric == "importance":
        return {}
    if study == "pairwise":
        if len(parts) == 1:
            return {"readout": condition}
        views = {"centred": int("centred" in parts), "axis_removed": int("without-axis" in parts)}
        return {"similarity": parts[0], "negatives": parts[1], **views}
    if study == "evaluate":
        return {"readout": "span"} if condition == "span" else {"threshold": "best"}
    if condition.startswith("layer "):
        return {"other": int(condition.split()[1])}
    if condition.startswith("step "):
        return {"step": int(condition.split()[1])}
    if study == "similarity":
        return {"splits": condition} if condition == "train/test" else {"against": parts[1]}
    if study == "ablation":
        return {"ablation": condition}
    if study == "attention":
        return _attention(metric, parts)
    if metric in ("outside_min", "inside_max", "inside_mean", "separation", "outside_min_change"):
        return {"label": condition}
    return {"classifier": condition}


def _attention(metric: str, parts: list[str]) -> dict[str, Any]:
    if metric in ("share", "cls_row_share"):
        named = [part.split("-") for part in parts[1:]]
        return {"token_type": parts[0], **dict(named)}
    names = {
        "entropy": ["scale"],
        "map_similarity": ["crop"],
        "map_floor": ["crop"],
        "pattern_change": ["pattern", "classifier"],
        "pattern_share": ["pattern", "classifier"],
        "pattern_agreement": ["score", "classifier"],
        "pair_weight": ["relation", "direction", "pairing"],
        "pair_excess": ["relation", "direction", "pairing"],
    }[metric]
    return dict(zip(names, parts, strict=True))
