"""The page of one run: from result rows and provenance to one self-contained HTML text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from tuneprobe.artifacts import atomic_file
from tuneprobe.claims.verdicts import (
    FAILS,
    HOLDS,
    PARTLY,
    UNLEARNED,
    UNTESTED,
    VERDICT_RULE,
    Check,
    Finding,
    not_learned,
)
from tuneprobe.corpora.world import VERSION as WORLD_VERSION
from tuneprobe.page.blocks import Cell, CellLike, Chapter, Figure, Table
from tuneprobe.page.deviations import deviations
from tuneprobe.page.files import write_figures
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.learning import learning_curves
from tuneprobe.page.origin import files_sha256
from tuneprobe.page.overview import PAIRED, TAUGHT, answer_figure, pairs_table, tasks_table
from tuneprobe.page.registry import STUDIES, judge_all
from tuneprobe.page.render import draw_figure
from tuneprobe.page.templates import render
from tuneprobe.wording import flat, listed, plain

HASH_LENGTH = 16
NOT_SHOWN = ("encoders",)
ENCODER_NOTES = {
    "minilm-l6": (
        "minilm-l6 (all-MiniLM-L6-v2) is a BERT of 6 layers that was distilled and then tuned for "
        "sentence similarity: ‘pre-trained’ here means before our tuning, not BERT as published."
    ),
}
STATE_LABELS = {
    "random": "random",
    "pretrained": "pre-trained",
    "frozen": "frozen with a trained head",
    "finetuned": "fine-tuned",
    "random-finetuned": "fine-tuned from random weights",
}
WHEN = {"pretrained": "before", "finetuned": "after"}
WRITTEN = {  # unit of a check: digits, whether signed, what follows; any other is a count
    "points": (1, True, " points"),
    "percent": (1, False, " %"),
    "nats": (2, True, " nats"),
    "doublings": (2, True, " doublings"),
    "fraction": (2, True, ""),
    "correlation": (2, False, ""),
    "similarity": (2, False, ""),
}
VERDICT_SIGNS = {HOLDS: "●", PARTLY: "◐", FAILS: "○", UNTESTED: "◌", UNLEARNED: "◌"}


def write_page(inputs: PageInputs, page: Path, figures: Path | None = None) -> None:
    """Write the page as one file, and its figures into a folder."""
    chapters = draw_chapters(inputs)
    if figures:
        write_figures(figures_of(chapters), figures)
    with atomic_file(page) as part:
        part.write_text(render_page(inputs, chapters), encoding="utf-8")


def draw_chapters(inputs: PageInputs) -> list[Chapter]:
    """The studies of a page, their figures drawn."""
    progress = tqdm(inputs.studies, "draw", unit="study", disable=None)
    return [STUDIES[study].chapter(inputs) for study in progress]


def figures_of(chapters: Sequence[Chapter]) -> list[Figure]:
    """The figures in the order of the page."""
    return [block for one in chapters for block in one.ordered if isinstance(block, Figure)]


def render_page(inputs: PageInputs, chapters: Sequence[Chapter] | None = None) -> str:
    """One HTML page without outside resources; the same inputs give the same bytes.

    What is missing from the results (a state, a probe, a study) is named on the page. `chapters`
    are those of `draw_chapters`, where they are drawn already; the claims are about their figures.
    """
    evidence, studies = inputs.evidence, draw_chapters(inputs) if chapters is None else chapters
    titles = {block.name: block.title for study in studies for block in study.blocks}
    findings = [one for one in judge_all(evidence) if one.claim.figure in titles]
    first = inputs.of(inputs.encoders[0]) if len(inputs.encoders) > 1 else inputs
    told = [STUDIES[study] for study in inputs.studies]
    return render(
        "page.html.jinja",
        inputs=inputs,
        answer=answer_figure(first, [one.answer for one in told if one.answer]),
        sentences=[(one.name, said) for one in told if (said := one.finding(first))],
        taught=tasks_table(first.results, first.all_seeds, first.label),
        said_taught=TAUGHT,
        pairs=pairs_table(first.results),
        said_pairs=PAIRED,
        n_layers=first.results.layer.max() if len(first.results) else 0,
        states=_states(inputs.results),
        unlearned=[not_learned(task) for task, _ in evidence.unlearned],
        verdict_rule=VERDICT_RULE,
        signs=VERDICT_SIGNS,
        titles=titles,
        ledger=[
            (_paper_sentence(paper, found), [(one, ours(one), _checks(one)) for one in found])
            for paper, found in _by_paper(findings).items()
        ],
        studies=studies,
        learning=draw_figure(learning_curves(inputs), inputs) if len(inputs.losses) else None,
        left_out=[study for study in STUDIES if study not in inputs.studies],
        encoder_note=_encoder_note(inputs),
        deviations=deviations(inputs.params),
        corpora=_corpora(inputs),
        weights=_weights(inputs.artifacts),
        settings=_settings(inputs.params),
        provenance=_provenance(inputs.artifacts),
    )


def _encoder_note(inputs: PageInputs) -> str:
    """What a reader must know of the encoder; of one that was tuned elsewhere, from what."""
    entry = inputs.params.get("encoders", {}).get(inputs.encoder, {})
    if not (base := entry.get("base")):
        return ENCODER_NOTES.get(inputs.encoder, "")
    note = (
        f"{inputs.encoder} was tuned elsewhere from {base}: ‘pre-trained’ is {base}, ‘fine-tuned’ "
        "these weights as they came; a head, where one is needed, was trained on them here."
    )
    return f"{note} {ENCODER_NOTES.get(base, '')}".rstrip()


def _by_paper(findings: list[Finding]) -> dict[str, list[Finding]]:
    papers: dict[str, list[Finding]] = {}
    for finding in findings:
        papers.setdefault(finding.claim.source.rpartition(" ")[0], []).append(finding)
    return papers


def _paper_sentence(paper: str, findings: list[Finding]) -> str:
    counts = Counter(finding.verdict for finding in findings)
    one = {HOLDS: "holds", PARTLY: "holds partly", FAILS: "does not hold"}
    many = {HOLDS: "hold", PARTLY: "hold partly", FAILS: "do not hold"}
    if len(findings) == 1:
        return f"The one claim of {paper} {one.get(findings[0].verdict, f'is {UNTESTED}')}."
    parts = [
        f"{n} {words.get(verdict, f'{be} {verdict}')}"
        for verdict in VERDICT_SIGNS
        if (n := counts[verdict])
        for be, words in [("is", one) if n == 1 else ("are", many)]
    ]
    return f"Of the {len(findings)} claims of {paper}, {listed(parts)}."


def ours(finding: Finding) -> str:
    """Our numbers for a claim: how many checks pass, and the number that is farthest from zero."""
    measured = [check for check in finding.checks if isfinite(check.value)]
    if not measured:
        return finding.reason
    widest = max(measured, key=lambda check: abs(check.value))
    where = f"{plain(widest.subject)}, {WHEN.get(widest.what, plain(widest.what))}"
    return f"{finding.passed}; {_estimate(widest)} ({where})"


def _estimate(check: Check) -> str:
    """A number with its plain interval and its unit: ``+105.0 [+97.9, +112.1] points``."""
    digits, sign, word = WRITTEN.get(check.unit, (0, False, f" {check.unit}"))
    return f"{Cell(check.value, check.low, check.high, digits, sign)}{word}"


def _checks(finding: Finding) -> Table:
    rows: list[list[CellLike]] = [
        [plain(check.subject), plain(check.what), _estimate(check), check.outcome]
        for check in finding.checks
    ]
    return Table(["of", "check", "estimate", "outcome"], rows, n_names=2)


def _settings(params: Mapping[str, Any]) -> Table:
    shown = {name: value for name, value in params.items() if name not in NOT_SHOWN}
    return Table(["setting", "value"], list(flat(shown)), n_names=2)


def _states(results: pd.DataFrame) -> list[str]:
    ran = set(results.state)
    return [label for state, label in STATE_LABELS.items() if state in ran]


def _corpora(inputs: PageInputs) -> Table:
    rows = []
    for corpus in inputs.origin.corpora:
        digest = files_sha256(corpus)
        files = f"{len(corpus.files)} files, {digest[:HASH_LENGTH]}…" if digest else "written here"
        if corpus.obtain == "generate":
            files = f"generated (synthetic), version {WORLD_VERSION}"
        rows.append([corpus.name, corpus.title, corpus.licence, files])
    return Table(["corpus", "what it is", "licence", "files, SHA-256 of their list"], rows, 4)


def _weights(artifacts: Mapping[str, Mapping[str, Any]]) -> Table:
    """Weights of every state that vectors were taken from."""
    found = {
        (meta.get("encoder", ""), STATE_LABELS.get(meta["state"], meta["state"])): meta
        for meta in artifacts.values()
        if "weights_sha256" in meta and "state" in meta
    }
    rows = [
        [*names, meta["weights_sha256"], meta.get("tokenizer_sha256", "")[:HASH_LENGTH]]
        for names, meta in found.items()
    ]
    return Table(["encoder", "state", "SHA-256 of the weights", "of the tokenizer"], rows, 4)


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
