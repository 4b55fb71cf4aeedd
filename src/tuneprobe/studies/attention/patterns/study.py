"""Which patterns the heads of an encoder show: labels of every map, and their result rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tuneprobe.formats.results import Result, stamp
from tuneprobe.rng import rng
from tuneprobe.states import PRETRAINED
from tuneprobe.stats import Interval, mean_interval
from tuneprobe.studies.attention.maps.head_results import STUDY, head_results
from tuneprobe.studies.attention.maps.maps import LayerMaps
from tuneprobe.studies.attention.patterns.agreement import (
    agreement,
    cohen_kappa,
    confusion,
    corrected_shares,
)
from tuneprobe.studies.attention.patterns.classes import (
    PATTERNS,
    PatternError,
    map_features,
    map_images,
    rule_labels,
)
from tuneprobe.studies.attention.patterns.network import PatternNetwork

CLASSIFIERS = ("network", "rule")
CORRECTED = "corrected"  # the classifier of shares that are corrected by labelled maps

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
            for answers, maps in zip(self.labels.values(), part.maps, strict=True):
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


def pattern_results(
    labels: Mapping[str, Mapping[str, Labels]], setting: Setting, before: str = PRETRAINED
) -> list[Result]:
    """Rows ``pattern_share``: the share of the texts whose map shows a pattern.

    By pattern and classifier. For each head, each layer (head -1: mean over its heads) and the
    whole encoder (layer -1, head -1), with bootstrap intervals over the texts. Rows
    ``pattern_change``: the share of the whole encoder less that before tuning, on the same texts.
    One row ``pattern_agreement`` per state, the ``kappa`` of ``network-rule``, says how far the two
    classifiers agree.
    """
    rows: list[Result] = []
    for state, answers in labels.items():
        for classifier, found in answers.items():
            for number, pattern in enumerate(PATTERNS):
                shown = (found == number).astype(np.float32)
                rows += _share_rows(shown, state, pattern, classifier, setting)
                if state != before and before in labels:
                    change = shown - (labels[before][classifier] == number)
                    of_texts = change.mean(axis=(1, 2))
                    rows += _change_rows(of_texts, state, before, pattern, classifier, setting)
        kappa = cohen_kappa(confusion(answers["network"].ravel(), answers["rule"].ravel()))
        n_texts = len(answers["network"])
        point = Interval(kappa, np.array(np.nan), np.array(np.nan))
        kappa_row = _agreement_row(state, "kappa", "network-rule", point, n_texts)
        rows += stamped([kappa_row], setting)
    return rows


def agreement_results(
    labels: Mapping[str, Mapping[str, Labels]],
    labelled: pd.DataFrame,
    sources: Sequence[str],
    setting: Setting,
) -> list[Result]:
    """Rows ``pattern_agreement``: classifiers against a person's labels of this run's maps.

    By score and classifier; the accuracy of ``majority`` is the share of the most
    frequent label. `n` counts labelled maps. Labels of other encoders, tasks or states are left
    out; without any of this run there are no rows. Rows ``pattern_share`` of the classifier
    ``corrected``: the network's shares corrected by its confusion on these maps.

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
                    rows.append(_agreement_row(state, score, classifier, interval, len(truth)))
        found = answers["network"][..., None] == np.arange(len(PATTERNS))
        corrected = corrected_shares(
            truth,
            given["network"],
            found.mean(axis=(1, 2)),
            confidence=setting.confidence,
            bootstrap=setting.bootstrap,
            rng=rng(setting.seed, STUDY, "pattern_share", state, CORRECTED),
        )
        for number, pattern in enumerate(PATTERNS if corrected else ()):
            value, low, high = (float(part[number]) for part in corrected or ())
            share = Result("pattern_share", value, low, high, len(truth), state=state)
            rows.append(share._replace(pattern=pattern, classifier=CORRECTED))
    return stamped(rows, setting)


def _share_rows(
    shown: NDArray[np.float32], state: str, pattern: str, classifier: str, setting: Setting
) -> list[Result]:
    """Rows of every head and layer, and of the whole encoder."""
    metric, stream = "pattern_share", f"{pattern}/{classifier}"
    facets: dict[str, Any] = {"pattern": pattern, "classifier": classifier}
    interval = mean_interval(
        shown.mean(axis=(1, 2)),
        confidence=setting.confidence,
        n_bootstrap=setting.bootstrap,
        rng=rng(setting.seed, STUDY, state, metric, stream, "whole"),
    )
    value, low, high = map(float, interval)
    whole = Result(metric, value, low, high, len(shown), state=state, **facets)
    heads = head_results(
        shown,
        encoder=setting.encoder,
        task=setting.task,
        state=state,
        seed=setting.seed,
        metric=metric,
        stream=stream,
        layers=range(1, shown.shape[1] + 1),
        confidence=setting.confidence,
        bootstrap=setting.bootstrap,
        **facets,
    )
    return [*stamped([whole], setting), *heads]


def _change_rows(
    changes: NDArray[np.float32],
    state: str,
    before: str,
    pattern: str,
    classifier: str,
    setting: Setting,
) -> list[Result]:
    """The change of a share of the whole encoder, paired over the texts."""
    interval = mean_interval(
        changes,
        confidence=setting.confidence,
        n_bootstrap=setting.bootstrap,
        rng=rng(setting.seed, STUDY, state, "pattern_change", f"{pattern}/{classifier}"),
    )
    value, low, high = map(float, interval)
    row = Result("pattern_change", value, low, high, len(changes), state=state)
    return stamped([row._replace(against=before, pattern=pattern, classifier=classifier)], setting)


def stamped(rows: list[Result], setting: Setting) -> list[Result]:
    """Rows of this study under a setting."""
    keys: dict[str, Any] = {"encoder": setting.encoder, "task": setting.task, "seed": setting.seed}
    return stamp(rows, study=STUDY, **keys, level=setting.confidence)


def _agreement_row(state: str, score: str, classifier: str, interval: Interval, n: int) -> Result:
    value, low, high = map(float, interval)
    row = Result("pattern_agreement", value, low, high, n, state=state)
    return row._replace(score=score, classifier=classifier)


def _places(
    chosen: pd.DataFrame, sources: Sequence[str], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], ...]:
    """Text, layer and head of labelled maps as indices into arrays of labels."""
    row_of = {source: row for row, source in enumerate(sources)}
    for map_, source, layer, head in zip(
        chosen["map"], chosen.text, chosen.layer, chosen["head"], strict=True
    ):
        if source not in row_of or not 1 <= layer <= shape[1] or not 0 <= head < shape[2]:
            raise PatternError(
                f"labelled map {map_} is text '{source}', layer {layer}, head {head}, but "
                f"{len(sources)} texts, layers 1-{shape[1]} and heads 0-{shape[2] - 1} were read: "
                "label the sheet of this run, or read more texts (attention.max_texts)."
            )
    texts = np.array([row_of[source] for source in chosen.text])
    return texts, chosen.layer.to_numpy() - 1, chosen["head"].to_numpy()
