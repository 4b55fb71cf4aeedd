"""Evidence: the result rows of one run, indexed by what they are of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import pandas as pd

from tuneprobe import paths
from tuneprobe.claims.competence import Competence, competences
from tuneprobe.collect.estimates import NOT_MEASURED, Estimate, estimates
from tuneprobe.collect.seeds import mean_over_seeds
from tuneprobe.collect.tables import last_layer, select
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.results import FACETS, NO_HEAD, NO_LAYER, NONE, Result
from tuneprobe.states import RANDOM, TUNED
from tuneprobe.stats import marked_layer
from tuneprobe.studies.pairwise.measures import STUDY as OF_A_READER
from tuneprobe.studies.pairwise.measures import usual
from tuneprobe.wording import task_label

NUMBER_KEYS = ("study", "task", "state", "metric", "layer")
MORE_KEYS = ("against", "tuned_on", "other", *FACETS)
NO_FACETS = tuple(Result._field_defaults[name] for name in MORE_KEYS)


@dataclass(frozen=True)
class Evidence:
    """Result rows of one run, one per number, and what its tests were set to."""

    results: pd.DataFrame
    layer_mark: float | Fraction  # the paper's "fifth of twelve layers", as a share of the depth
    margin: float  # points of auc_macro within which two states count as equal
    alpha: float  # level of the tests
    all_seeds: pd.DataFrame | None = None  # before they were reduced over seeds, if several
    labels: Mapping[str, str] = field(default_factory=dict)  # what tasks are to be called

    def label(self, task: str) -> str:
        """What a task is called."""
        return self.labels.get(task) or task_label(task)

    def by_task(self, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        """The label of each task in the order of the tasks, and its rows."""
        for task, of_task in rows.groupby("task"):
            yield self.label(str(task)), of_task

    @property
    def last(self) -> int:
        """Number of the last layer."""
        return last_layer(self.results)

    @property
    def mark(self) -> int:
        """The last layer that counts as low, as in `pairwise.results.pairwise_gaps`."""
        return marked_layer(self.layer_mark, self.last)

    @cached_property
    def numbers(self) -> dict[tuple[Any, ...], Estimate]:
        """Estimates by study, task, state, metric, layer and facets; heads are left out."""
        rows = self.results[self.results["head"] == NO_HEAD]
        keys = zip(*(rows[name].tolist() for name in (*NUMBER_KEYS, *MORE_KEYS)), strict=True)
        return dict(zip(keys, estimates(rows), strict=True))

    @cached_property
    def competence(self) -> dict[str, Competence]:
        """Whether the tuned model of each task learned it, where that was measured."""
        return competences(self.results)

    @cached_property
    def unlearned(self) -> list[tuple[Competence, "Evidence"]]:
        """Each task whose tuned model is not clearly above its baselines, and `without` it."""
        return [(one, self.without(one)) for one in self.competence.values() if not one.learned]

    @cached_property
    def per_seed(self) -> dict[int, "Evidence"]:
        """The evidence of each seed of tuning alone; nothing where there is one.

        Random weights, whose seeds are draws and not of tuning, are the same in each.
        """
        if self.all_seeds is None:
            return {}
        drawn = self.all_seeds.state == RANDOM
        random, tuned = mean_over_seeds(self.all_seeds[drawn]), self.all_seeds[~drawn]
        seeds = sorted(tuned.seed.unique())
        if len(seeds) < 2:
            return {}
        return {
            int(seed): replace(
                self, results=pd.concat([random, tuned[tuned.seed == seed]]), all_seeds=None
            )
            for seed in seeds
        }

    def without(self, task: Competence) -> "Evidence":
        """What is left without the rows that the encoder tuned on a task gave."""
        rows, names = self.results, [task.task]
        if task.reads:
            name = paths.reading_task(task.task) or task.task
            names = [name, paths.questions(name), paths.pairs(name)]
        own = rows.task.isin(names) | rows.tuned_on.isin(names)
        if task.reads:
            own |= rows.study == OF_A_READER
        tuned = rows.state.isin(TUNED) | rows.tuned_on.isin(names) | (rows.step != NONE)
        return replace(self, results=rows[~(own & tuned)], all_seeds=None)

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
        **facets: Any,
    ) -> Estimate:
        """One estimate of any study; `NOT_MEASURED` where there is none."""
        unknown = [name for name in facets if name not in MORE_KEYS]
        if unknown:
            raise UnknownNameError("facet", unknown[0], MORE_KEYS)
        key = (study, task, state, metric, layer)
        more = (facets.get(name, none) for name, none in zip(MORE_KEYS, NO_FACETS, strict=True))
        return self.numbers.get((*key, *more), NOT_MEASURED)

    def number(
        self,
        probe: str,
        state: str,
        metric: str,
        layer: int = NO_LAYER,
        against: str = "",
        **facets: Any,
    ) -> Estimate:
        """One of the pairwise study, in the probe's usual condition unless another is named."""
        named = facets or usual(probe)
        return self.find(OF_A_READER, probe, state, metric, layer, against=against, **named)
