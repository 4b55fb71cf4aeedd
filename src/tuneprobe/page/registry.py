"""The studies of the project: the one place that names them."""

from tuneprobe.claims.evidence import Evidence
from tuneprobe.claims.verdicts import Finding, judge
from tuneprobe.measures import Measure
from tuneprobe.page.figures import Spec
from tuneprobe.page.study import Study
from tuneprobe.studies.attention.page import ATTENTION
from tuneprobe.studies.change.page import CHANGE
from tuneprobe.studies.geometry.page import GEOMETRY
from tuneprobe.studies.pairwise.page import PAIRWISE

STUDIES: dict[str, Study] = {study.name: study for study in (PAIRWISE, GEOMETRY, ATTENTION, CHANGE)}
CLAIMS = tuple(claim for study in STUDIES.values() for claim in study.claims)


def all_measures() -> list[Measure]:
    """The measures of all studies."""
    return [measure for study in STUDIES.values() for measure in study.measures]


def plotted() -> list[Spec]:
    """The specs of which metrics/plots has a table, in the order of the page."""
    return [spec for study in STUDIES.values() for spec in study.figures if spec.plot]


def judge_all(evidence: Evidence) -> list[Finding]:
    """Test every claim of every study."""
    return [judge(claim, evidence) for claim in CLAIMS]
