"""What the study of change measures, under which names; its tasks and rows."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tuneprobe import paths
from tuneprobe.collect.tables import last_layer, select
from tuneprobe.measures import PERCENT, POINTS, Measure
from tuneprobe.states import FINETUNED, PRETRAINED

STUDY = "change"
BEFORE, AFTER = PRETRAINED, FINETUNED
SHUFFLED = "shuffled"  # the state of a control: the same numbers at other places
PARTS = ("attention", "feed-forward")
ZHANG = "Zhang et al. 2022"
SHUTTLEWORTH = "Shuttleworth et al. 2025"
ELAZAR = "Elazar et al. 2021"
PRAKASH = "Prakash et al. 2024"
ETHAYARAJH = "Ethayarajh et al. 2022"
NEYSHABUR = "Neyshabur et al. 2020"
PATCHED = ("against", "part", "label")


OF_PAIRS = ("pair_score", "patch_change", "patch_excess")  # not of what was tuned on


def _change(name: str, label: str, unit: str = "", *facets: str, **more: Any) -> Measure:
    return Measure(STUDY, name, label, unit, facets=facets, **more)


def _scored(prefix: str, label: str, *facets: str) -> tuple[Measure, ...]:
    facets = ("against", "score", *facets)
    return (
        _change(f"{prefix}_score", f"score, {label}", PERCENT, *facets, better="higher"),
        _change(f"{prefix}_score_change", f"change of the score, {label}", POINTS, *facets),
        _change(f"{prefix}_loss", f"loss, {label}", "nats", *facets, digits=2),
        _change(f"{prefix}_loss_change", f"change of the loss, {label}", "nats", *facets, digits=2),
    )


MEASURES = (
    _change("score", "score", PERCENT, "score", better="higher"),
    _change("loss", "loss", "nats", "score", digits=2, better="lower"),
    _change("majority", "score of the most frequent answer", PERCENT, "score"),
    *_scored("layer", "one layer of the other state", "part"),
    *_scored("up_to", "embeddings and layers up to this of the other state"),
    _change(
        "above_minus_below",
        "score with only the upper layers tuned, minus only the others",
        POINTS,
        "against",
        "score",
        chance=0,
    ),
    _change(
        "vectors_matter", "do vectors change most where it matters, ρ", "", "against", chance=0
    ),
    _change(
        "weights_matter", "do weights change most where it matters, ρ", "", "against", chance=0
    ),
    _change("difference", "how far vectors moved, of their spread", PERCENT, "against"),
    _change("mean_shift", "part that all pieces share", PERCENT, "against"),
    _change("first_axes", "part in the first axes", PERCENT, "against"),
    _change("head_share", "part that the head reads", PERCENT, "against"),
    _change("participation", "directions in which pieces move", "", "against"),
    _change("neighbour_overlap", "nearest pieces that stay so", PERCENT, "against"),
    _change("procrustes", "distance after the best rotation", "", "against", digits=2),
    _change("cka_debiased", "linear CKA, debiased", "", "against", digits=2, chance=0),
    _change("weight_change", "how far weights moved", PERCENT, "against", "part"),
    _change("effective_rank", "effective rank over that of the control", "", "against", "part"),
    _change("stable_rank", "stable rank over that of the control", "", "against", "part"),
    _change("intruders", "new directions", PERCENT, "against", "part", cite=SHUTTLEWORTH),
    _change("read_score", "accuracy of a linear classifier", PERCENT, better="higher"),
    _change("read_majority", "share of the most frequent label", PERCENT),
    _change("erased_score", "accuracy, label erased", PERCENT, cite="Belrose et al. 2023"),
    _change("control_score", "accuracy, random directions erased", PERCENT, cite=ELAZAR),
    _change("erasure_excess", "what is due to the label", POINTS, chance=0, cite=ELAZAR),
    _change("erasure_gap", "the same, tuned minus pre-trained", POINTS, "against", chance=0),
    _change("path_score", "score on the way", PERCENT, "against", "score", "step", better="higher"),
    _change("path_loss", "loss on the way", "nats", "against", "score", "step", digits=2),
    _change("lora_rank", "rank of the LoRA that tuned it", cite="Hu et al. 2022"),
    _change(
        "barrier",
        "highest rise of the loss above the chord",
        "nats",
        "against",
        "score",
        digits=2,
        chance=0,
        cite="Frankle et al. 2020",
    ),
    _change("pair_score", "AUC of the match, last layer", PERCENT, "label", chance=50),
    _change("patch_change", "AUC, span of the other model", POINTS, *PATCHED, chance=0),
    _change(
        "patch_excess", "the same, beyond other words", POINTS, *PATCHED, chance=0, cite=PRAKASH
    ),
)


def tasks_of(results: pd.DataFrame, *metrics: str) -> list[str]:
    """Tasks that have the metrics, readers first; by default all that were tuned on."""
    rows = select(results, study=STUDY)
    rows = select(rows, metric=metrics) if metrics else rows[~rows.metric.isin(OF_PAIRS)]
    return sorted(set(rows.task), key=lambda task: (not paths.reading_task(task), task))


def gained(results: pd.DataFrame, task: str, classifier: str) -> pd.DataFrame:
    """Bits that tuning added for a classifier, by layer; of the study of geometry."""
    keys = {"metric": "v_gain", "classifier": classifier, "label": ""}
    return select(results, study="classify", task=task, **keys).sort_values("layer")


def patched_probes(results: pd.DataFrame) -> list[str]:
    """Probes whose pairs got states of the other model."""
    return sorted(set(select(results, study=STUDY, metric="patch_excess").label))


def depth(results: pd.DataFrame) -> int:
    """Number of the last layer; -1 where the study has not run."""
    return last_layer(results, STUDY)


def rows_of(
    results: pd.DataFrame, metric: str, state: str = AFTER, part: str | Sequence[str] = ""
) -> pd.DataFrame:
    """Rows of a metric by task and layer."""
    found = select(results, study=STUDY, metric=metric, state=state, part=part)
    return found.sort_values(["task", "layer"], kind="stable")
