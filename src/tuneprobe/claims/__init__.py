"""Claims of papers, each tested by a stated rule: evidence, checks, verdicts."""

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import (
    FAILS,
    HOLDS,
    PARTLY,
    UNLEARNED,
    UNTESTED,
    VERDICT_RULE,
    Check,
    Claim,
    Finding,
    judge,
)
from tuneprobe.collect.estimates import Estimate

__all__ = [
    "FAILS",
    "HOLDS",
    "PARTLY",
    "UNLEARNED",
    "UNTESTED",
    "VERDICT_RULE",
    "Check",
    "Claim",
    "Estimate",
    "Evidence",
    "Finding",
    "judge",
]
