"""What a run says first: two tables, on the page and in README, from the same rows."""

from pathlib import Path
from typing import Any

import pytest

from tuneprobe.formats.results import OVER_BASELINE, Result, stamp, to_frame
from tuneprobe.page.overview import (
    END,
    START,
    OverviewError,
    learned_table,
    overview,
    pairs_table,
    with_results,
)
from tuneprobe.studies.pairwise.measures import COSINE, GAP, SPECIFIC


def rows_of(task: str, study: str, rows: list[Result]) -> list[Result]:
    return stamp(rows, study=study, encoder="e", task=task, seed=1)


def gap(value: float, low: float, against: str, **facets: Any) -> Result:
    more = {"state": "finetuned", "against": against, **facets}
    return Result(OVER_BASELINE, value, low, 2 * value - low, 40, **more)


def made_up():
    """A reader that is above one baseline of two, a probe above its own; pairs of synonyms."""
    reader = [
        Result("short_f1", 30.0, n=40, state="finetuned", threshold="best"),
        Result("short_f1", 99.0, n=40, state="frozen", threshold="best"),
        gap(20.0, 12.0, "first-paragraph", score="short_f1"),
        gap(1.5, -4.0, "word-overlap", score="short_f1"),
    ]
    mlp = {"classifier": "mlp", "layer": 2}
    probe = [
        Result("accuracy", 90.0, n=40, state="finetuned", **mlp),
        Result("accuracy", 80.0, n=40, state="finetuned", classifier="mlp", layer=1),
        gap(9.0, 5.0, "word-type", score="accuracy", **mlp),
    ]
    pairs = [
        Result("auc_macro", value, layer=layer, state=state, **{**COSINE, **part})
        for state, value in (("random", 48.0), ("pretrained", 70.0), ("finetuned", 95.0))
        for layer in (0, 1)
        for part in ({}, SPECIFIC)
    ]
    pairs.append(
        Result("gap", 7.0, 5.0, 9.0, layer=1, state="finetuned", **{**COSINE, **SPECIFIC, **GAP})
    )
    return to_frame(
        [
            *rows_of("world-qa", "evaluate", reader),
            *rows_of("world-pos", "classify", probe),
            *rows_of("synonyms", "pairwise", pairs),
        ]
    )


def test_the_nearest_baseline_decides_whether_a_task_was_learned():
    lines = [list(map(str, row)) for row in learned_table(made_up()).rows]
    assert lines == [
        ["POS", "accuracy", "word type", "81.0", "90.0", "+9.0 [+5.0, +13.0]", "yes"],
        ["reading world", "short F1", "word overlap", "28.5", "30.0", "+1.5 [−4.0, +7.0]", "no"],
    ]


def test_a_pair_has_its_score_its_own_part_and_what_tuning_adds_to_that():
    (line,) = pairs_table(made_up()).rows
    scores = ["48.0", "70.0", "95.0"]
    assert list(map(str, line)) == ["synonyms", *scores, *scores, "+7.0 [+5.0, +9.0]"]


def test_without_rows_there_are_no_tables():
    assert overview(to_frame([])).strip() == ""


def test_readme_shows_the_results_that_are_recorded(root: Path):
    text = (root / "README.md").read_text(encoding="utf-8")
    recorded = (root / "metrics" / "results.md").read_text(encoding="utf-8")
    assert with_results(text, recorded) == text, "run 'tuneprobe readme'"


def test_a_text_without_the_marks_is_refused():
    assert with_results(f"a{START} old {END}b", "new") == f"a{START}\n\nnew\n{END}b"
    with pytest.raises(OverviewError, match="put both where"):
        with_results(f"a {END} b {START}", "new")
