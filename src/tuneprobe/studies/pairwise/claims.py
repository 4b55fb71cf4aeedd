"""The claims of Cai et al. 2020 about pairs."""

from collections.abc import Iterator, Sequence

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import Check, Claim, Outcome, above_zero
from tuneprobe.studies.pairwise.measures import AFTER, GAP, PAIR_PROBES, PROBES

CAI = "Cai et al. 2020"
EQUALITY_RULE = (
    "One check per probe and layer. It passes if two one-sided tests put the mean gap within the "
    "equivalence margin; else it fails if Holm's p-value shows a difference; else it is undecided."
)


def _rises(evidence: Evidence) -> Iterator[Check]:
    for probe in PAIR_PROBES:
        for state in ("pretrained", "finetuned"):
            value, low, high = evidence.number(probe, state, "trend_eq3")
            yield Check(probe, state, above_zero(low, high), value, low, high, "correlation")


def _equal_below_mark(evidence: Evidence) -> Iterator[Check]:
    for probe in PROBES:
        yield from _equal(evidence, probe, range(1, evidence.mark + 1))


def _equal_everywhere(evidence: Evidence) -> Iterator[Check]:
    for probe in ("synonyms", "abbreviation"):
        yield from _equal(evidence, probe, range(1, evidence.last + 1))


def _equal(evidence: Evidence, probe: str, layers: Sequence[int]) -> Iterator[Check]:
    for layer in layers:
        value, low, high = evidence.number(probe, AFTER, "gap", layer, **GAP)
        outcome: Outcome = "undecided"
        if _within_margin(evidence, probe, layer):
            outcome = "pass"
        elif _different(evidence, probe, layer):
            outcome = "fail"
        yield Check(probe, f"layer {layer}", outcome, value, low, high)


def _better_and_growing(evidence: Evidence) -> Iterator[Check]:
    for probe in ("coreference", "answer-type", "boundary"):
        layer = evidence.last
        value, low, high = evidence.number(probe, AFTER, "gap", layer, **GAP)
        outcome: Outcome = "undecided"
        if _different(evidence, probe, layer):
            outcome = "pass" if value > 0 else "fail"
        elif _within_margin(evidence, probe, layer):
            outcome = "fail"
        yield Check(probe, f"layer {layer}", outcome, value, low, high)
        value, low, high = evidence.number(probe, AFTER, "contrast", **GAP)
        outcome = above_zero(low, high, equal_within=evidence.margin)
        yield Check(probe, "growth", outcome, value, low, high)


def _within_margin(evidence: Evidence, probe: str, layer: int) -> bool:
    return evidence.number(probe, AFTER, "equivalence_p", layer, **GAP).value < evidence.alpha


def _different(evidence: Evidence, probe: str, layer: int) -> bool:
    return evidence.number(probe, AFTER, "p_holm", layer, **GAP).value < evidence.alpha


PAIRWISE_CLAIMS = (
    Claim(
        "rise",
        f"{CAI} (a)",
        "Cosine percentages rise with the layer, before and after fine-tuning.",
        "Figure 1: rising curves for both models in all cosine panels; no numbers printed.",
        "One check per probe and state: Spearman's correlation of the percentage (equation 3) with "
        "the layers 1 to last. It passes if the bootstrap interval lies above zero, fails if it "
        "lies below, and is undecided otherwise.",
        "layers",
        _rises,
    ),
    Claim(
        "early-layers",
        f"{CAI} (b)",
        "In the first five of twelve layers both models are nearly equal in all five probes.",
        "Figure 1: curves on top of each other up to layer 5; no numbers printed.",
        "Layers 1 to the layer mark. " + EQUALITY_RULE,
        "gaps",
        _equal_below_mark,
    ),
    Claim(
        "lexical",
        f"{CAI} (c)",
        "Synonyms and abbreviation are equal in every layer.",
        "Figure 1: curves on top of each other in all layers; no numbers printed.",
        "Layers 1 to last. " + EQUALITY_RULE,
        "gaps",
        _equal_everywhere,
    ),
    Claim(
        "reading",
        f"{CAI} (d)",
        "In coreference, answer type and boundary the fine-tuned model is better, and the gap "
        "grows after layer 5.",
        "Figure 1: fine-tuned above pre-trained after layer 5; no numbers printed.",
        "Two checks per probe. Better: the gap at the last layer is above zero by Holm's p-value "
        "(fails if below zero, or equal within the margin). Growing: the mean gap above the layer "
        "mark minus the mean gap at or below it has its interval above zero (fails if below zero "
        "or within the margin).",
        "gaps",
        _better_and_growing,
    ),
)
