"""What the pairwise study measures, under which names, and which rows the paper shows."""

from typing import Any

from tuneprobe.measures import PERCENT, POINTS, Measure
from tuneprobe.states import FINETUNED, PRETRAINED

PROBES = ("synonyms", "abbreviation", "coreference", "answer-type", "boundary")
PAIR_PROBES = PROBES[:-1]
BEFORE, AFTER = PRETRAINED, FINETUNED
GAP: dict[str, Any] = {"against": BEFORE}  # of the tuned state
WORDS: dict[str, Any] = {"negatives": "words", "centred": 0}  # single words, as in the paper
COSINE: dict[str, Any] = {"similarity": "cosine", **WORDS}
EUCLIDEAN: dict[str, Any] = {"similarity": "euclidean", **WORDS}
LINEAR: dict[str, Any] = {"readout": "linear"}
LENS: dict[str, Any] = {"readout": "lens"}
ANSWERS = ("precision", "recall", "f1")
ANSWER_METRICS = (
    *(f"{answer}_{metric}" for answer in ("long", "short") for metric in ANSWERS),
    "exact_match",
    "f1",
)
CITE = "Cai et al. 2020"
HOW = ("similarity", "negatives", "centred", "readout")
TESTED = (*HOW, "against")


def usual(probe: str) -> dict[str, Any]:
    """The paper's own condition: cosine against single words; for boundary a linear head."""
    return LINEAR if probe == "boundary" else COSINE


def _of_pairs(name: str, label: str, unit: str = PERCENT, **more: Any) -> Measure:
    return Measure("pairwise", name, label, unit, **{"cite": CITE, "facets": HOW, **more})


MEASURES = (
    _of_pairs("eq3", "share of the paragraph below the match", cite=f"{CITE}, eq. 3"),
    _of_pairs("auc_micro", "AUC over all negatives", chance=50, better="higher"),
    _of_pairs("auc_macro", "AUC, mean over examples", chance=50, better="higher"),
    _of_pairs("trend", "trend of the AUC over layers", "", digits=2, chance=0),
    _of_pairs("trend_eq3", "trend of equation 3 over layers", "", digits=2, chance=0),
    _of_pairs("excluded", "examples without a negative", "", digits=0),
    *(
        _of_pairs(name, label, POINTS, facets=TESTED)
        for name, label in (
            ("gap", "fine-tuned minus pre-trained"),
            ("equivalence", "fine-tuned minus pre-trained, interval of the equivalence test"),
            ("contrast", "gap above the mark minus gap up to it"),
        )
    ),
    *(
        _of_pairs(name, f"p-value of {what}", "", digits=3, facets=TESTED)
        for name, what in (
            ("p", "the gap"),
            ("p_holm", "the gap, Holm"),
            ("equivalence_p", "equivalence"),
            ("contrast_p", "the contrast"),
        )
    ),
    *(
        Measure(
            "evaluate",
            metric,
            metric.replace("_", " ").replace("f1", "F1"),
            PERCENT,
            better="higher",
            facets=("threshold", "readout"),
        )
        for metric in ANSWER_METRICS
        if metric != "f1"
    ),
)
