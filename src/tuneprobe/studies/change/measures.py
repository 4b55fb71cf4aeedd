"""What the study of change measures, under which names; its tasks and rows."""

from collections.abc import Sequence
from math import inf
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
HAO = "Hao et al. 2020"
JUNEJA = "Juneja et al. 2023"
CORRELATION: dict[str, Any] = {"within": (-1, 1)}
SCORE: dict[str, Any] = {"within": (-100, 100)}  # correlations among them
OF_PAIRS = ("pair_score", "patch_change", "patch_excess")  # not of what was tuned on


def _change(name: str, label: str, unit: str = "", *facets: str, **more: Any) -> Measure:
    return Measure(STUDY, name, label, unit, facets=facets, **more)


def _moved(name: str, label: str, unit: str = "", *facets: str, **more: Any) -> Measure:
    return _change(name, label, unit, "against", *facets, **more)


def _scored(prefix: str, label: str, *facets: str) -> tuple[Measure, ...]:
    return tuple(
        _moved(f"{prefix}_{name}", f"{what}, {label}", unit, "score", *facets, **more)
        for name, what, unit, more in (
            ("score", "score", PERCENT, SCORE),
            ("score_change", "change of the score", POINTS, {}),
            ("loss", "loss", "nats", {}),
            ("loss_change", "change of the loss", "nats", {}),
        )
    )


MEASURES = (
    _change("score", "score", PERCENT, "score", **SCORE),
    _change("loss", "loss", "nats", "score"),
    _change("majority", "score of the most frequent answer", PERCENT, "score", **SCORE),
    *_scored("layer", "one layer of the other state", "part"),
    *_scored("up_to", "embeddings and layers up to this of the other state"),
    _moved(
        "above_minus_below",
        "score with only the upper layers tuned, minus only the others",
        POINTS,
        "score",
    ),
    _moved("vectors_matter", "do vectors change most where it matters, ρ", **CORRELATION),
    _moved("weights_matter", "do weights change most where it matters, ρ", **CORRELATION),
    _moved("difference", "how far vectors moved, of their spread", PERCENT, within=(0, inf)),
    _moved("mean_shift", "part that all pieces share", PERCENT),
    _moved("first_axes", "part in the first axes", PERCENT),
    _moved("head_share", "part that the head reads", PERCENT),
    _moved("participation", "directions in which pieces move"),
    _moved("neighbour_overlap", "nearest pieces that stay so", PERCENT),
    _moved("procrustes", "distance after the best rotation"),
    _moved("cka_debiased", "linear CKA, debiased", **CORRELATION),
    _moved("weight_change", "how far weights moved", PERCENT, "part", within=(0, inf)),
    _moved("effective_rank", "effective rank over that of the control", "", "part"),
    _moved("stable_rank", "stable rank over that of the control", "", "part"),
    _moved("intruders", "new directions", PERCENT, "part", cite=SHUTTLEWORTH),
    _change("read_score", "accuracy of a linear classifier", PERCENT),
    _change("read_majority", "share of the most frequent label", PERCENT),
    _change("erased_score", "accuracy, label erased", PERCENT, cite="Belrose et al. 2023"),
    _change("control_score", "accuracy, random directions erased", PERCENT, cite=ELAZAR),
    _change("erasure_excess", "what is due to the label", POINTS, cite=ELAZAR),
    _moved("erasure_gap", "the same, tuned minus pre-trained", POINTS),
    _moved("path_score", "score on the way", PERCENT, "score", "step", **SCORE),
    _moved("path_loss", "loss on the way", "nats", "score", "step"),
    _moved(
        "barrier",
        "highest rise of the loss above the chord",
        "nats",
        "score",
        cite="Frankle et al. 2020",
    ),
    _moved(
        "seed_path_score", "score on the way to another seed", PERCENT, "score", "step", **SCORE
    ),
    _moved("seed_path_loss", "loss on the way to another seed", "nats", "score", "step"),
    _moved("seed_barrier", "its highest rise above the chord", "nats", "score", cite=JUNEJA),
    _change("step_score", "score after so many updates", PERCENT, "score", "step", **SCORE),
    _change("step_loss", "loss after so many updates", "nats", "score", "step"),
    *_scored("step_layer", "one layer put back", "step")[1::2],  # the changes
    *_scored("step_up_to", "embeddings and layers up to this put back", "step")[1::2],
    _moved(
        "upper_over_lower",
        "rise of the loss by an upper layer put back, less by a lower one",
        "nats",
        "score",
        "step",
    ),
    _change("lora_rank", "rank of the LoRA that tuned it", cite="Hu et al. 2022"),
    _change("pair_score", "AUC of the match, last layer", PERCENT, "label"),
    _moved("patch_change", "AUC, span of the other model", POINTS, "part", "label"),
    _moved("patch_excess", "the same, beyond other words", POINTS, "part", "label", cite=PRAKASH),
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
