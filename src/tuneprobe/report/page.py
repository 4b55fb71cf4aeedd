"""The page of one run: from result rows and provenance to one self-contained HTML text."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from math import isfinite, nan
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from tuneprobe.claims import (
    FAILS,
    HOLDS,
    PARTLY,
    UNTESTED,
    VERDICT_RULE,
    Check,
    Evidence,
    Finding,
    judge_all,
)
from tuneprobe.collect import ANSWER_METRICS, last_layer, select
from tuneprobe.report.figures import (
    Figure,
    Table,
    centred_figure,
    gaps_figure,
    layers_figure,
    negatives_figure,
)
from tuneprobe.report.published import (
    ANSWER_LABELS,
    ENCODER_NOTES,
    PAPER_LAYERS,
    TABLE_2,
    TABLE_2_NOTES,
)
from tuneprobe.report.wording import MISSING, bounded, layer_ranges, listed, number, plain

HASH_LENGTH = 16
NOT_SHOWN = ("encoders",)
FIGURES: tuple[tuple[Callable[[Evidence, Mapping[str, Any]], Figure], str], ...] = (
    (layers_figure, "layer_curves"),
    (gaps_figure, "gap_curves"),
    (negatives_figure, "layer_curves"),
    (centred_figure, "layer_curves"),
)
WHEN = {"pretrained": "before", "finetuned": "after"}
VERDICT_SIGNS = {HOLDS: "●", PARTLY: "◐", FAILS: "○", UNTESTED: "◌"}


@dataclass(frozen=True)
class PageInputs:
    """Everything a page is written from.

    Attributes
    ----------
    results : DataFrame
        Rows of all studies that ran, as `tuneprobe.results` writes them; may be empty.
    funnel : DataFrame
        ``probe, step, kept, dropped, reason``: how the examples were chosen; may be empty.
    params : mapping
        The configuration of the run, nested as params.yaml.
    artifacts : mapping
        Path to the provenance (meta.json) of each artifact that the numbers come from.
    templates : mapping
        Name to Vega-Lite template, as in .dvc/plots: ``layer_curves``, ``gap_curves``.
    encoder, corpus : str
    layer_mark, margin, confidence : float
        Settings of the tests, see `tuneprobe.claims.Evidence`.
    """

    results: pd.DataFrame
    funnel: pd.DataFrame
    params: Mapping[str, Any]
    artifacts: Mapping[str, Mapping[str, Any]]
    templates: Mapping[str, Mapping[str, Any]]
    encoder: str
    corpus: str
    layer_mark: float
    margin: float
    confidence: float

    @property
    def evidence(self) -> Evidence:
        """What the claims are tested on."""
        return Evidence(self.results, self.layer_mark, self.margin, 1 - self.confidence)

    @property
    def synthetic(self) -> bool:
        """Whether any artifact says that its texts were generated."""
        return any(meta.get("synthetic") is True for meta in self.artifacts.values())


def render_page(inputs: PageInputs) -> str:
    """One HTML page without scripts or outside resources; the same inputs give the same bytes.

    What is missing from the results (a state, a probe, a study) is named on the page.
    """
    evidence = inputs.evidence
    findings = judge_all(evidence)
    environment = Environment(
        loader=PackageLoader("tuneprobe.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": plain, "number": number}
    return environment.get_template("page.html.jinja").render(
        css=files("tuneprobe.report").joinpath("page.css").read_text(),
        inputs=inputs,
        evidence=evidence,
        n_layers=last_layer(inputs.results),
        states=_states(inputs.results),
        n_examples=_examples_per_probe(inputs.results),
        verdict=verdict_sentence(findings),
        verdict_rule=VERDICT_RULE,
        signs=VERDICT_SIGNS,
        ledger=[(finding, describe(finding), _check_table(finding)) for finding in findings],
        figures=[draw(evidence, inputs.templates[name]) for draw, name in FIGURES],
        answers=answer_rows(inputs.results),
        published=TABLE_2,
        published_notes=TABLE_2_NOTES,
        funnel=list(_funnel_groups(inputs.funnel)),
        notes=list(_notes(inputs)),
        settings=Table(["setting", "value"], [[k, v] for k, v in _flat(inputs.params)], n_names=2),
        provenance=_provenance(inputs.artifacts),
    )


def verdict_sentence(findings: list[Finding]) -> str:
    """How many claims have which verdict, in one sentence."""
    counts = {v: sum(finding.verdict == v for finding in findings) for v in VERDICT_SIGNS}
    words = {HOLDS: "hold", PARTLY: "hold partly", FAILS: "do not hold", UNTESTED: UNTESTED}
    singular = {HOLDS: "holds", PARTLY: "holds partly", FAILS: "does not hold"}
    parts = []
    for verdict, count in counts.items():
        if count:
            verb = singular.get(verdict) if count == 1 else words[verdict]
            be = ("is " if count == 1 else "are ") if verdict == UNTESTED else ""
            parts.append(f"{count} {be}{verb or UNTESTED}")
    sources = dict.fromkeys(finding.claim.source.rpartition(" ")[0] for finding in findings)
    return f"Of the {len(findings)} claims of {listed(list(sources))}, {listed(parts)}."


def describe(finding: Finding) -> list[tuple[str, str]]:
    """Our numbers for a claim: each probe and what it shows.

    Up to two checks are written out; of more, the number that pass and the largest value.
    """
    lines = []
    for probe in dict.fromkeys(check.probe for check in finding.checks):
        checks = [check for check in finding.checks if check.probe == probe]
        measured = [check for check in checks if isfinite(check.value)]
        text = "no numbers"
        if measured and len(checks) <= 2:
            text = ", ".join(map(_check_text, measured))
        elif measured:
            passed = sum(check.outcome == "pass" for check in checks)
            widest = max(measured, key=lambda check: abs(check.value))
            text = (
                f"{passed} of {len(checks)} layers pass; largest gap {_estimate(widest)} at "
                f"{widest.what}"
            )
        lines.append((plain(probe), text))
    return lines


def answer_rows(results: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Our rows of Table 2: label, and the numbers of `ANSWER_METRICS` as text."""
    rows = select(results, study="evaluate")
    found = []
    for state, label in ANSWER_LABELS.items():
        of_state = select(rows, state=state).set_index("metric")
        if not len(of_state):
            continue
        cells = of_state[["value", "low", "high"]].reindex(list(ANSWER_METRICS))
        found.append((label, [bounded(*cell) for cell in cells.itertuples(index=False)]))
    return found


def _check_text(check: Check) -> str:
    if check.what in WHEN:
        return f"ρ {_estimate(check)} {WHEN[check.what]}"
    return f"{check.what} {_estimate(check)}"


def _estimate(check: Check) -> str:
    """A correlation with two digits, a difference with its sign."""
    cell = (check.value, check.low, check.high)
    return bounded(*cell, digits=2) if check.what in WHEN else bounded(*cell, sign=True)


def _check_table(finding: Finding) -> Table:
    rows = [
        [plain(check.probe), plain(check.what), _estimate(check), check.outcome]
        for check in finding.checks
    ]
    return Table(["probe", "check", "estimate", "outcome"], rows, n_names=2)


def _states(results: pd.DataFrame) -> list[str]:
    ran = set(results.state)
    return [state for state in ("random", "pretrained", "frozen", "finetuned") if state in ran]


def _examples_per_probe(results: pd.DataFrame) -> str:
    counts = select(results, study="pairwise", metric="auc_macro").n
    if not len(counts):
        return MISSING
    low, high = int(counts.min()), int(counts.max())
    return f"{low}" if low == high else f"{low}–{high}"


def _funnel_groups(funnel: pd.DataFrame) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for probe in dict.fromkeys(funnel.probe):
        rows = funnel[funnel.probe == probe]
        largest = max(1, (rows.kept + rows.dropped).max())
        yield (
            probe,
            [
                {
                    "step": row.step,
                    "kept": row.kept,
                    "dropped": row.dropped,
                    "reason": row.reason if isinstance(row.reason, str) else "",
                    "share": round(100 * row.kept / largest, 1),
                }
                for row in rows.itertuples()
            ],
        )


def _notes(inputs: PageInputs) -> Iterator[str]:
    """What this run does otherwise than the paper."""
    if inputs.encoder in ENCODER_NOTES:
        yield ENCODER_NOTES[inputs.encoder]
    n_layers, mark = last_layer(inputs.results), inputs.evidence.mark
    if n_layers > 0 and n_layers != PAPER_LAYERS:
        low = layer_ranges(range(1, mark + 1))
        yield (
            f"The paper’s encoder has {PAPER_LAYERS} layers, this one {n_layers}: its mark ‘after "
            f"layer 5’ is scaled to the depth, so that layers {low} count as early and "
            f"{layer_ranges(range(mark + 1, n_layers + 1))} as late."
        )
    if inputs.corpus != "natural-questions":
        yield f"The paper uses Natural Questions; this run uses the corpus ‘{inputs.corpus}’."
    yield (
        "The curves show AUC averaged over examples, whose chance level is 50 for every paragraph "
        "length; the paper’s percentage (equation 3) cannot reach 100 and is in the data tables. "
        "Claim (a) is tested on equation 3."
    )
    yield (
        "The paper says of boundary only that it uses the ‘logits score of each position’. Both "
        "readings are drawn: a linear head trained on each frozen layer, and the QA head trained "
        "for the state (for the pre-trained one on the frozen encoder) applied to every layer."
    )


def _flat(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        if not prefix and key in NOT_SHOWN:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            several = isinstance(value, list | tuple)
            yield f"{prefix}{key}", ", ".join(map(str, value)) if several else str(value)


def _provenance(artifacts: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = []
    for path, meta in sorted(artifacts.items()):
        facts = [
            f"{key.removesuffix('_sha256')} {value[:HASH_LENGTH]}…"
            if key.endswith("sha256") and isinstance(value, str)
            else f"{plain(key)} {value}"
            for key, value in sorted(meta.items())
            if isinstance(value, str | int | float) and value not in ("", nan)
        ]
        rows.append([path, " · ".join(facts)])
    return Table(["artifact", "provenance"], rows, n_names=2)
