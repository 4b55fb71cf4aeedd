"""The papers' claims, each tested by a stated rule: `CLAIMS`, judged by `judge_all`."""

from tuneprobe.claims.attention import ATTENTION_CLAIMS
from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.geometry import GEOMETRY_CLAIMS
from tuneprobe.claims.pairwise import PAIRWISE_CLAIMS
from tuneprobe.claims.verdicts import (
    FAILS,
    HOLDS,
    PARTLY,
    UNTESTED,
    VERDICT_RULE,
    Check,
    Claim,
    Finding,
    judge,
)
from tuneprobe.collect.estimates import Estimate

CLAIMS = (*PAIRWISE_CLAIMS, *GEOMETRY_CLAIMS, *ATTENTION_CLAIMS)

__all__ = [
    "CLAIMS",
    "FAILS",
    "HOLDS",
    "PARTLY",
    "UNTESTED",
    "VERDICT_RULE",
    "Check",
    "Claim",
    "Estimate",
    "Evidence",
    "Finding",
    "judge",
    "judge_all",
]


def judge_all(evidence: Evidence) -> list[Finding]:
    """Test every claim of `CLAIMS`."""
    return [judge(claim, evidence) for claim in CLAIMS]
