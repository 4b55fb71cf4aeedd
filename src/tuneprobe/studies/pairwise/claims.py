"""The claims of Cai et al. 2020 about pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import Check, Claim, Outcome, by_interval, holm_over
from tuneprobe.formats.results import NO_LAYER
from tuneprobe.studies.pairwise.measures import AFTER, GAP, PAIR_PROBES, PROBES

CAI = "Cai et al. 2020"
EQUALITY_RULE = (
    "One check per probe and layer. It passes if two one-sided tests put the mean gap within the "
    "equivalence margin; it fails if the interval of the gap lies wholly outside the margin; else, "
    "and with fewer than 50 examples, it is undecided. The equivalence tests are not corrected: "
    "the claim holds only if all of them pass, an intersection-union test (Berger 1982)."
)


def _rises(evidence: Evidence) -> Iterator[Check]:
    trends = [
        Check(probe, state, "undecided", *evidence.number(probe, state, "trend_eq3"), "correlation")
        for probe in PAIR_PROBES
        for state in ("pretrained", "finetuned")
    ]
    yield from by_interval(trends, evidence.alpha)


def _equal_below_mark(evidence: Evidence) -> Iterator[Check]:
    yield from _equal(evidence, PROBES, range(1, evidence.mark + 1))


def _equal_everywhere(evidence: Evidence) -> Iterator[Check]:
    yield from _equal(evidence, ("synonyms", "abbreviation"), range(1, evidence.last + 1))


def _equal(evidence: Evidence, probes: Sequence[str], layers: Sequence[int]) -> Iterator[Check]:
    places = [(probe, layer) for probe in probes for layer in layers]
    gaps = [
        Check(
            probe,
            f"layer {layer}",
            "undecided",
            *evidence.number(probe, AFTER, "gap", layer, **GAP),
        )
        for probe, layer in places
    ]
    p = [
        evidence.number(probe, AFTER, "equivalence_p", layer, **GAP).value
        for probe, layer in places
    ]

    def outside(low: float, high: float) -> Outcome:
        return "fail" if low > evidence.margin or high < -evidence.margin else "undecided"

    for check, p_equal in zip(by_interval(gaps, evidence.alpha, outside), p, strict=True):
        yield replace(check, outcome="pass") if p_equal < evidence.alpha else check


def _better_and_growing(evidence: Evidence) -> Iterator[Check]:
    layer, probes = evidence.last, ("coreference", "answer-type", "boundary")
    places = [(probe, what) for probe in probes for what in (f"layer {layer}", "growth")]
    metrics = {
        f"layer {layer}": ("gap", "p", layer),
        "growth": ("contrast", "contrast_p", NO_LAYER),
    }
    found, p = [], []
    for probe, what in places:
        metric, test, number = metrics[what]
        found.append(
            Check(probe, what, "undecided", *evidence.number(probe, AFTER, metric, number, **GAP))
        )
        p.append(evidence.number(probe, AFTER, test, number, **GAP).value)

    def nothing(low: float, high: float) -> Outcome:
        return "fail" if low > -evidence.margin and high < evidence.margin else "undecided"

    for check, p_zero in zip(
        by_interval(found, evidence.alpha, nothing), holm_over(p), strict=True
    ):
        outcome: Outcome = "pass" if check.value > 0 else "fail"
        yield replace(check, outcome=outcome) if p_zero < evidence.alpha else check


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
        "Two checks per probe. Better: the gap at the last layer. Growing: the mean gap above the "
        "layer mark minus the mean gap at or below it. Either passes if it is above zero by Holm’s "
        "p-value, fails if it is below zero by it or if its interval lies within the equivalence "
        "margin, and is undecided otherwise.",
        "gaps",
        _better_and_growing,
    ),
)
