"""The tables of docs/ are what the committed rows give."""

import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tuneprobe.inventory import Inventory
from tuneprobe.page.registry import all_measures
from tuneprobe.params import load_params


@pytest.fixture
def fill(root: Path, monkeypatch: pytest.MonkeyPatch):
    """docs/fill.py as a module."""
    monkeypatch.syspath_prepend(str(root / "docs"))
    yield __import__("fill")
    for name in ("fill", "tables"):
        sys.modules.pop(name, None)


def test_the_tables_of_docs_are_those_of_the_recorded_rows(fill, capsys) -> None:
    assert fill.main(check=True) == 0, capsys.readouterr().out + "run 'make docs'"


def test_a_table_that_says_something_else_is_written_anew(fill, tmp_path: Path) -> None:
    mark = "<!-- table: pairs-by-seed default -->\n"
    text = f"before\n{mark}| stale |\n<!-- end of table -->\nafter"
    new = fill.filled(text, fill.laid_out(tmp_path))
    assert new.startswith(
        f"before\n{mark}\n| ability | seed 13 | all |\n|---|---|---|\n| synonyms |"
    )
    assert new.endswith("\n\n<!-- end of table -->\nafter")
    assert "stale" not in new


def test_heads_taken_out_are_counted_from_the_rows(fill, root: Path, tmp_path: Path) -> None:
    mark = "<!-- table: ablated stsb stsb pearson -->\n<!-- end of table -->"
    text = fill.filled(mark, fill.laid_out(tmp_path))
    rows = pd.read_csv(next((root / "recorded/runs/stsb").glob("**/ablate/**/heads.csv")))
    rows = rows[(rows.ablation == "uniform") & (rows["metric"] == "pearson_change")]
    heads, layers = rows[rows["head"] >= 0], rows[rows["head"] == -1]
    harm, clearly = (heads.value > 0).sum(), (heads.low > 0).sum()
    assert f"of 72 heads {harm} do harm, {clearly} clearly, " in text
    for layer, of in heads.groupby("layer"):
        whole = layers[layers.layer == layer].value.item()
        assert f"| {layer} | {whole:+.1f} [".replace("-", "−") in text
        assert f"| head {of.loc[of.value.idxmax(), 'head']}: " in text


def test_what_mattered_is_the_least_of_the_rows(fill, root: Path, tmp_path: Path) -> None:
    mark = "<!-- table: mattered stsb 2 -->\n<!-- end of table -->"
    line = fill.filled(mark, fill.laid_out(tmp_path)).splitlines()[4]
    rows = pd.read_csv(next((root / "recorded/runs/stsb").glob("**/change/**/layers.csv")))
    alone = rows[(rows.metric == "layer_score_change") & (rows.state == "finetuned")]
    alone = alone[alone.part.isna()]
    most = alone.loc[alone.value.idxmin()]
    assert f"| layer {most.layer}: {most.value:+.1f} [".replace("-", "−") in line
    assert f"{rows[rows.metric == 'barrier'].value.item():+.2f} [".replace("-", "−") in line


def test_a_papers_table_has_its_rows_and_then_those_of_the_runs(fill, root: Path, tmp_path) -> None:
    mark = '<!-- table: as-published three-ways "one run=stsb" -->\n<!-- end of table -->'
    lines = fill.filled(mark, fill.laid_out(tmp_path)).splitlines()
    assert "| QNLI | – | – | – | 52.8 | 49.5 | 84.4 | – |" in lines
    ours = lines[next(n for n, line in enumerate(lines) if "*one run*" in line) + 1]
    assert lines.index("| QNLI | – | – | – | 52.8 | 49.5 | 84.4 | – |") < lines.index(ours)
    rows = pd.read_csv(next((root / "recorded/runs/stsb").glob("**/evaluate/**/scores.csv")))
    rows = rows[rows.metric == "pearson"].set_index("state")
    for state in ("frozen", "random-finetuned", "finetuned"):
        one = rows.loc[state]
        assert f"| {one.value:.1f} [{one.low:.1f}, {one.high:.1f}] |" in ours
    assert ours.count("|") == lines[2].count("|")


def test_a_table_that_no_study_has_is_refused(fill, tmp_path: Path) -> None:
    mark = '<!-- table: as-published three-way "one run=stsb" -->\n<!-- end of table -->'
    with pytest.raises(KeyError, match="three-way"):
        fill.filled(mark, fill.laid_out(tmp_path))


def test_no_recorded_number_lies_outside_of_its_measure(fill, root: Path, tmp_path: Path) -> None:
    ranges = {(one.study, one.name): one.range for one in all_measures()}
    runs = fill.laid_out(tmp_path)
    for name in ("default", *(run.name for run in (root / "recorded/runs").iterdir())):
        with chdir(runs(name)):
            rows = Inventory.found(load_params()).results()
        keys = zip(rows.study, rows.metric, strict=True)
        least, most = np.array([ranges[key] for key in keys]).T
        outside = rows[(rows.value < least - 1e-6) | (rows.value > most + 1e-6)]
        assert outside.empty, outside[["study", "metric", "value"]].drop_duplicates("metric")
