"""Parts of a pairwise score: what of it is due to this pair, and what to any pair like it.

Per example and layer, in points of auc (percent of the negatives below the match):

own       the anchor of the example; the paper's score
other     mean over anchors of other questions (`foreign.py`): "near anything like this anchor"
specific  own - other: "near this anchor"; 0 in expectation where only kinds of words count
type      mean over anchors with the same word less mean over anchors with other words: for answer
          types, where the anchor is the question word, what knows *which* question word
"""

import numpy as np
from numpy.typing import NDArray

from tuneprobe.errors import UnknownNameError
from tuneprobe.studies.pairwise.probe.foreign import OTHER, OTHER_WORD, SAME_WORD
from tuneprobe.studies.pairwise.probe.paragraphs import Ids
from tuneprobe.studies.pairwise.probe.study import Ranking

OWN, SPECIFIC, TYPE = "", "specific", "type"
NEEDS = {OWN: (), OTHER: (OTHER,), SPECIFIC: (OTHER,), TYPE: (SAME_WORD, OTHER_WORD)}
REACH = {OWN: 100.0, OTHER: 100.0, SPECIFIC: 200.0, TYPE: 200.0}  # largest difference, in points


def parts_of(ranking: Ranking) -> list[str]:
    """The parts that the foreign sets of a ranking allow, in the order of `NEEDS`."""
    return [part for part, sets in NEEDS.items() if set(sets) <= set(ranking.foreign)]


def part_scores(ranking: Ranking, part: str) -> NDArray[np.float64]:
    """One part of every example's auc, in points, shape (n, n_layers).

    Over the examples that have a negative, and the foreign anchors that the part needs.
    """
    return part_examples(ranking, part)[0]


def part_examples(ranking: Ranking, part: str) -> tuple[NDArray[np.float64], Ids]:
    """The scores of `part_scores`, and the document of each of their examples, (n,)."""
    if part not in NEEDS:
        raise UnknownNameError("part of a score", part, NEEDS)
    points = {name: _points(ranking, count) for name, count in ranking.foreign.items()}
    own = _points(ranking, ranking.count)
    scores = {
        OWN: lambda: own,
        OTHER: lambda: points[OTHER],
        SPECIFIC: lambda: own - points[OTHER],
        TYPE: lambda: points[SAME_WORD] - points[OTHER_WORD],
    }[part]()
    known = np.isfinite(scores).all(axis=1)
    return scores[known], ranking.documents[ranking.kept][known]


def _points(ranking: Ranking, count: NDArray[np.number]) -> NDArray[np.float64]:
    kept = ranking.kept
    return 100.0 * count[kept].astype(np.float64) / ranking.n_neg[kept, None]
