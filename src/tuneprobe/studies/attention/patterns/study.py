"""Which patterns the heads of an encoder show: labels of every map, and their result rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tuneprobe.formats.results import NO_HEAD, NO_LAYER, Result
from tuneprobe.rng import rng
from tuneprobe.stats import Interval, mean_interval
from tuneprobe.studies.attention.maps.head_results import STUDY, head_results
from tuneprobe.studies.attention.maps.maps import LayerMaps
from tuneprobe.studies.attention.patterns.agreement import agreement, cohen_kappa, confusion
from tuneprobe.studies.attention.patterns.classes import (
    PATTERNS,
    PatternError,
    map_features,
    map_images,
    rule_labels,
)
from tuneprobe.studies.attention.patterns.network import PatternNetwork

CLASSIFIERS = ("network", "rule")

Labels = NDArray[np.int8]


class PatternReader:
    """Labels every map that it is shown, by network and by rule; keeps the labels only.

    Give it to `measure_heads` as `also`, or to `stream_maps`.

    Attributes
    ----------
    labels : dict of state to dict of classifier to int8 ndarray
        Row numbers of `PATTERNS`, shape (n_texts, n_layers, n_heads); -1 for a map not shown yet.
    """

    def __init__(
        self,
        network: PatternNetwork,
        states: Sequence[str],
        *,
        n_texts: int,
        n_layers: int,
        n_heads: int,
    ) -> None:
        self._network = network
        self.labels = {
            state: {
                name: np.full((n_texts, n_layers, n_heads), -1, dtype=np.int8)
                for name in CLASSIFIERS
            }
            for state in states
        }

    @torch.inference_mode()
    def __call__(self, found: LayerMaps) -> None:
        """Label one layer's maps of one batch."""
        for part in found.parts():
            for answers, maps in zip(self.labels.values(), part.maps):
                images = map_images(maps, part.lengths)
                features = map_features(maps, part.lengths, images)
                network = self._network.probabilities(images.cpu()).argmax(-1)
                answers["network"][part.texts, part.layer - 1] = network.numpy()
                answers["rule"][part.texts, part.layer - 1] = rule_labels(features).cpu().numpy()


@dataclass(frozen=True)
class Setting:
    """What the rows of one run have in common, and how their intervals are drawn."""

    encoder: str
    task: str
    seed: int
    confidence: float
    bootstrap: int


def pattern_results(labels: Mapping[str, Mapping[str, Labels]], setting: Setting) -> list[Result]:
    """Rows ``pattern_share``: the share of the texts whose map shows a pattern.

    The condition is ``<pattern>/<classifier>``. For each head, each layer (head -1: mean over its
    heads) and the whole encoder (layer -1, head -1), with bootstrap intervals over the texts. One
    row ``pattern_agreement`` a state, ``kappa/network-rule``, says how far the classifiers agree.
    """
    rows = []
    for state, answers in labels.items():
        for classifier, found in answers.items():
            for number, pattern in enumerate(PATTERNS):
                shown = (found == number).astype(np.float32)
                rows += _share_rows(shown, state, f"{pattern}/{classifier}", setting)
        kappa = cohen_kappa(confusion(answers["network"].ravel(), answers["rule"].ravel()))
        n_texts = len(answers["network"])
        point = Interval(kappa, np.array(np.nan), np.array(np.nan))
        rows.append(_agreement_row(state, "kappa/network-rule", point, n_texts, setting))
    return rows


def agreement_results(
    labels: Mapping[str, Mapping[str, Labels]],
    labelled: pd.DataFrame,
    sources: Sequence[str],
    setting: Setting,
) -> list[Result]:
    """Rows ``pattern_agreement``: classifiers against a person's labels of this run's maps.

    The condition is ``<score>/<classifier>``; ``accuracy/majority`` is the share of the most
    frequent label. `n` counts labelled maps. Labels of other encoders, tasks or states are left
    out; without any of this run there are no rows.

    Parameters
    ----------
    labelled : DataFrame
        As `sheet.read_labels` gives it.
    sources : sequence of str
        Source of each text that was read, in the order of the labels.

    Raises
    ------
    PatternError
        If a labelled map is not among the maps that were read.
    """
    here = (labelled.encoder == setting.encoder) & (labelled.task == setting.task)
    rows = []
    for state, answers in labels.items():
        chosen = labelled[here & (labelled.state == state)]
        if not len(chosen):
            continue
        place = _places(chosen, sources, answers["network"].shape)
        truth = chosen.pattern.to_numpy()
        majority = np.full_like(truth, np.bincount(truth).argmax())
        given = {name: found[place] for name, found in answers.items()}
        for classifier, answer in (given | {"majority": majority}).items():
            scores = agreement(
                truth,
                answer,
                confidence=setting.confidence,
                bootstrap=setting.bootstrap,
                rng=rng(setting.seed, STUDY, "pattern_agreement", state, classifier),
            )
            for score, interval in scores.items():
                if classifier != "majority" or score == "accuracy":
                    condition = f"{score}/{classifier}"
                    rows.append(_agreement_row(state, condition, interval, len(truth), setting))
    return rows


def _share_rows(
    shown: NDArray[np.float32], state: str, condition: str, setting: Setting
) -> list[Result]:
    """Rows of every head and layer, and of the whole encoder."""
    metric = "pattern_share"
    keys = (setting.encoder, setting.task, state, setting.seed)
    interval = mean_interval(
        shown.mean(axis=(1, 2)),
        confidence=setting.confidence,
        n_bootstrap=setting.bootstrap,
        rng=rng(setting.seed, STUDY, state, metric, condition, "whole"),
    )
    value, low, high = map(float, interval)
    place = (NO_LAYER, NO_HEAD, metric, condition)
    whole = Result(STUDY, *keys, *place, value, low, high, len(shown))
    heads = head_results(
        shown,
        encoder=setting.encoder,
        task=setting.task,
        state=state,
        seed=setting.seed,
        metric=metric,
        condition=condition,
        layers=range(1, shown.shape[1] + 1),
        confidence=setting.confidence,
        bootstrap=setting.bootstrap,
    )
    return [whole, *heads]


def _agreement_row(
    state: str, condition: str, interval: Interval, n: int, setting: Setting
) -> Result:
    keys = (setting.encoder, setting.task, state, setting.seed, NO_LAYER, NO_HEAD)
    value, low, high = map(float, interval)
    return Result(STUDY, *keys, "pattern_agreement", condition, value, low, high, n)


def _places(
    chosen: pd.DataFrame, sources: Sequence[str], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], ...]:
    """Text, layer and head of labelled maps as indices into arrays of labels."""
    row_of = {source: row for row, source in enumerate(sources)}
    for map_, source, layer, head in zip(chosen["map"], chosen.text, chosen.layer, chosen["head"]):
        if source not in row_of or not 1 <= layer <= shape[1] or not 0 <= head < shape[2]:
            raise PatternError(
                f"labelled map {map_} is text '{source}', layer {layer}, head {head}, but "
                f"{len(sources)} texts, layers 1-{shape[1]} and heads 0-{shape[2] - 1} were read: "
                "label the sheet of this run, or read more texts (attention.max_texts)."
            )
    texts = np.array([row_of[source] for source in chosen.text])
    return texts, chosen.layer.to_numpy() - 1, chosen["head"].to_numpy()
