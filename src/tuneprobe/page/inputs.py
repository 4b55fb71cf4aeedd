"""What a page is written from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import pandas as pd

from tuneprobe.claims.evidence import Evidence
from tuneprobe.page.origin import Origin
from tuneprobe.page.templates import chart_templates

FUNNEL = ["probe", "step", "kept", "dropped", "reason"]


@dataclass(frozen=True)
class PageInputs:
    """Everything a page is written from; results, funnel and studies may be empty."""

    results: pd.DataFrame  # rows of all studies that ran; of several seeds, their means
    funnel: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=FUNNEL))
    params: Mapping[str, Any] = field(default_factory=dict)  # nested as params.yaml
    artifacts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # path to meta.json
    templates: Mapping[str, Mapping[str, Any]] = field(default_factory=chart_templates)
    encoder: str = ""
    corpus: str = ""  # of the reading study; without it, what the others read
    layer_mark: float | Fraction = Fraction(5, 12)  # settings of the tests, see `Evidence`
    margin: float = 2.0
    confidence: float = 0.95
    studies: Sequence[str] = ("pairwise", "geometry", "attention", "change")
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # <task>/<study>/<name>
    losses: pd.DataFrame = field(default_factory=pd.DataFrame)  # of all tunings, or empty
    origin: Origin = field(default_factory=Origin)
    all_seeds: pd.DataFrame | None = None  # the rows of every seed, where there are several

    @property
    def encoders(self) -> list[str]:
        """The encoders of the run, first the one that the claims are about."""
        found = sorted(set(self.results.encoder)) if len(self.results) else []
        return sorted(found, key=lambda name: name != self.encoder)

    def of(self, encoder: str) -> "PageInputs":
        """The same run, as far as it is of one encoder."""
        rows, every = self.results[self.results.encoder == encoder], self.all_seeds
        if every is not None:
            every = every[every.encoder == encoder]
        return replace(self, results=rows, encoder=encoder, all_seeds=every)

    @cached_property
    def evidence(self) -> Evidence:
        """What the claims are tested on: the rows of one encoder."""
        if len(self.encoders) > 1:
            return self.of(self.encoders[0]).evidence
        settings = self.layer_mark, self.margin, 1 - self.confidence
        return Evidence(self.results, *settings, self.all_seeds, self.labels)

    @cached_property
    def labels(self) -> dict[str, str]:
        """What the entries of tasks say that these are to be called."""
        tasks = self.params.get("tasks", {})
        return {name: task["label"] for name, task in tasks.items() if task.get("label")}

    def label(self, task: str) -> str:
        """What the page calls a task."""
        return self.evidence.label(task)

    def by_task(self, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        """The label of each task in the order of the tasks, and its rows."""
        return self.evidence.by_task(rows)

    @property
    def synthetic(self) -> list[str]:
        """The corpora whose artifacts say that their texts were generated."""
        generated = (meta for meta in self.artifacts.values() if meta.get("synthetic") is True)
        return sorted({str(meta["corpus"]).partition("/")[0] for meta in generated})
