"""Evidence: the numbers of one run, found by what they are of."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import pandas as pd

from tuneprobe.collect.conditions import with_conditions
from tuneprobe.collect.estimates import NOT_MEASURED, Estimate, estimates
from tuneprobe.collect.pairwise import usual_condition
from tuneprobe.collect.tables import last_layer, select
from tuneprobe.formats.results import NO_LAYER
from tuneprobe.stats import marked_layer

NUMBER_KEYS = ("study", "task", "state", "metric", "layer", "condition")


@dataclass(frozen=True)
class Evidence:
    """Result rows of one run and what its tests were set to.

    Attributes
    ----------
    results : DataFrame
        Rows as `tuneprobe.formats.results` writes them.
    layer_mark : float or Fraction
        The paper's "after the fifth of twelve layers", as a share of the depth.
    margin : float
        Points of auc_macro within which two states count as equal.
    alpha : float
        Level of the tests.
    """

    results: pd.DataFrame
    layer_mark: float | Fraction
    margin: float
    alpha: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "results", with_conditions(self.results))

    @property
    def last(self) -> int:
        """Number of the last layer."""
        return last_layer(self.results)

    @property
    def mark(self) -> int:
        """The last layer that counts as low, as in `pairwise.results.pairwise_gaps`."""
        return marked_layer(self.layer_mark, self.last)

    @property
    def marked_layers(self) -> str:
        """The layers that count as low and those above, in words: ``layers 1-2 against 3-6``."""
        first, last = self.mark + 1, self.last
        low = f"layers 1–{self.mark}" if self.mark > 1 else "layer 1"
        return f"{low} against {first}–{last}" if last > first else f"{low} against {last}"

    @cached_property
    def numbers(self) -> dict[tuple[str, str, str, str, int, str], Estimate]:
        """Estimates by study, task, state, metric, layer and condition; heads are left out."""
        rows = self.results[self.results["head"] == NO_LAYER]
        keys = zip(*(rows[name].tolist() for name in NUMBER_KEYS))
        return dict(zip(keys, estimates(rows)))

    def states(self, study: str) -> set[str]:
        """The states that a study has numbers of."""
        return set(select(self.results, study=study).state)

    def find(
        self,
        study: str,
        task: str,
        state: str,
        metric: str,
        layer: int = NO_LAYER,
        condition: str = "",
    ) -> Estimate:
        """One estimate of any study; `NOT_MEASURED` where there is none."""
        return self.numbers.get((study, task, state, metric, layer, condition), NOT_MEASURED)

    def number(
        self,
        probe: str,
        state: str,
        metric: str,
        layer: int = NO_LAYER,
        condition: str | None = None,
    ) -> Estimate:
        """One of the pairwise study, in the probe's usual condition unless another is named."""
        return self.find(
            "pairwise", probe, state, metric, layer, condition or usual_condition(probe)
        )
