"""What a page is written from."""

from collections.abc import Mapping, Sequence
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
    """Everything a page is written from.

    Attributes
    ----------
    results : DataFrame
        Rows of all studies that ran, as `tuneprobe.formats.results` writes them; may be empty.
    funnel : DataFrame
        ``probe, step, kept, dropped, reason``: how the examples were chosen; may be empty.
    params : mapping
        The configuration of the run, nested as params.yaml.
    artifacts : mapping
        Path to the provenance (meta.json) of each artifact that the numbers come from.
    templates : mapping
        Name to Vega-Lite template: ``layer_curves``, ``gap_curves``.
    encoder, corpus : str
        The corpus of the reading study; without that study, what the others read.
    layer_mark, margin, confidence : float
        Settings of the tests, see `tuneprobe.claims.Evidence`.
    studies : sequence of str
        Those that the page shows.
    tables : mapping
        What is drawn but is no result row, by ``<task>/<study>/<name>``.
    all_seeds : DataFrame, optional
        The rows of every seed, which `results` are the means of; None where there is one.
    origin : Origin
        Corpora, versions of libraries, commit.
    """

    results: pd.DataFrame
    funnel: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=FUNNEL))
    params: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    templates: Mapping[str, Mapping[str, Any]] = field(default_factory=chart_templates)
    encoder: str = ""
    corpus: str = ""
    layer_mark: float | Fraction = Fraction(5, 12)
    margin: float = 2.0
    confidence: float = 0.95
    studies: Sequence[str] = ("pairwise", "geometry", "attention", "change")
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin)
    all_seeds: pd.DataFrame | None = None

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
        return Evidence(self.results, *settings, self.all_seeds)

    @property
    def synthetic(self) -> list[str]:
        """The corpora whose artifacts say that their texts were generated."""
        generated = (meta for meta in self.artifacts.values() if meta.get("synthetic") is True)
        return sorted({str(meta["corpus"]).partition("/")[0] for meta in generated})
