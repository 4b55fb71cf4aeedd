"""What the pairwise study measures, under which names, and which rows the paper shows."""

from typing import Any

from tuneprobe.formats.results import OVER_BASELINE
from tuneprobe.measures import FRACTION, PERCENT, POINTS, Measure
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.wording import score_label

STUDY = "pairwise"  # the tasks of its rows are probes, all of what the same encoder reads
PROBES = ("synonyms", "abbreviation", "coreference", "answer-type", "boundary")
PAIR_PROBES = PROBES[:-1]
BEFORE, AFTER = PRETRAINED, FINETUNED
Facets = dict[str, Any]

GAP: Facets = {"against": BEFORE}  # of the tuned state
OWN: Facets = {"part": ""}  # the score of the own anchor, as in the paper
PLAIN: Facets = {"centred": 0, "axis_removed": 0, **OWN}
WORDS: Facets = {"negatives": "words", **PLAIN}  # single words, as in the paper
COSINE: Facets = {"similarity": "cosine", **WORDS}
EUCLIDEAN: Facets = {"similarity": "euclidean", **WORDS}
LINEAR: Facets = {"readout": "linear", **OWN}
LENS: Facets = {"readout": "lens", **OWN}
SPECIFIC: Facets = {"part": "specific"}
OTHER: Facets = {"part": "other"}
TYPE: Facets = {"part": "type"}
ANSWERS = ("precision", "recall", "f1")
ANSWER_METRICS = (
    *(f"{answer}_{metric}" for answer in ("long", "short") for metric in ANSWERS),
    "exact_match",
    "f1",
)
HEADLINE_ANSWERS = ("long_f1", "short_f1", "f1")
CITE = "Cai et al. 2020"
HOW = ("similarity", "negatives", "centred", "axis_removed", "readout", "part")
TESTED = (*HOW, "against")


def usual(probe: str) -> dict[str, Any]:
    """The paper's own condition: cosine against single words; for boundary a linear head."""
    return LINEAR if probe == "boundary" else COSINE


def _of_pairs(name: str, label: str, unit: str = PERCENT, cite: str = CITE) -> Measure:
    within = (-100, 100) if unit == PERCENT else None  # a part of it is a difference
    return Measure(STUDY, name, label, unit, cite, HOW, within)


def _tested(name: str, label: str, unit: str = POINTS) -> Measure:
    return Measure(STUDY, name, label, unit, CITE, TESTED)


MEASURES = (
    _of_pairs("eq3", "share of the paragraph below the match", cite=f"{CITE}, eq. 3"),
    _of_pairs("auc_micro", "AUC over all negatives"),
    _of_pairs("auc_macro", "AUC, mean over examples"),
    _of_pairs("trend", "trend of the AUC over layers", ""),
    _of_pairs("trend_eq3", "trend of equation 3 over layers", ""),
    _of_pairs("rise_eq3", "eq. 3, last third of the layers minus first third", POINTS),
    _of_pairs("best_layer", "best layer on one half of the examples", ""),
    _of_pairs("best_auc", "AUC there on the other half"),
    _of_pairs("axis_share", "variance along the principal axis", FRACTION),
    _of_pairs("excluded", "examples without a negative", ""),
    _tested("gap", "fine-tuned minus pre-trained"),
    _tested("equivalence", "fine-tuned minus pre-trained, interval of the equivalence test"),
    _tested("contrast", "gap above the mark minus gap up to it"),
    _tested("p", "p-value of the gap", ""),
    _tested("p_holm", "p-value of the gap, Holm", ""),
    _tested("equivalence_p", "p-value of equivalence", ""),
    _tested("contrast_p", "p-value of the contrast", ""),
    *(
        Measure(
            "evaluate",
            metric,
            score_label(metric),
            PERCENT,
            facets=("threshold", "readout", "classifier"),
        )
        for metric in ANSWER_METRICS
        if metric != "f1"
    ),
    Measure(
        "evaluate", OVER_BASELINE, "tuned minus a baseline", POINTS, facets=("against", "score")
    ),
)
