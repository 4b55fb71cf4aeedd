"""The tables of docs/ are what the committed rows give."""

import sys
from pathlib import Path

import pandas as pd
import pytest


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
    new = fill.filled(text, tmp_path)
    assert new.startswith(
        f"before\n{mark}\n| ability | seed 13 | all |\n|---|---|---|\n| synonyms |"
    )
    assert new.endswith("\n\n<!-- end of table -->\nafter")
    assert "stale" not in new


def table(fill, mark: str, work: Path) -> list[list[str]]:
    """The cells of the table that a mark is filled with."""
    text = fill.filled(f"<!-- table: {mark} -->\n<!-- end of table -->", work)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines]


def test_a_number_across_layers_and_tasks_is_that_of_the_rows(fill, root, tmp_path) -> None:
    where = "metric=map_similarity head=-1 digits=2"
    one = table(fill, f"across default layer task {where} state=finetuned", tmp_path / "one")
    two = table(fill, f"across default layer task {where} state=random,finetuned", tmp_path / "two")
    rows = pd.read_csv(next((tmp_path / "one").glob("**/world-rte/attention/**/heads.csv")))
    rows = rows[(rows.metric == "map_similarity") & (rows["head"] == -1)]
    assert one[0] == two[0] == ["layer", "world RTE", "world SST-2"]
    assert [line[0] for line in one[1:]] == [str(n) for n in range(1, 7)]
    for layer in range(1, 7):
        of = rows[rows.layer == layer].set_index("state")
        assert one[layer][1] == "{:.2f} [{:.2f}, {:.2f}]".format(
            *of.loc["finetuned", ["value", "low", "high"]]
        )
        assert two[layer][1] == f"{of.value['random']:.2f} → {of.value['finetuned']:.2f}"


def test_heads_that_do_harm_are_counted_from_the_rows(fill, tmp_path) -> None:
    found = {line[0]: line[1:] for line in table(fill, "heads default", tmp_path)}
    rows = pd.read_csv(next(tmp_path.glob("**/world-rte/ablate/**/heads.csv")))
    rows = rows[(rows.metric == "accuracy_change") & (rows["head"] >= 0)]
    assert len(rows) == 72
    harm, good, most, least = found["world RTE, accuracy"]
    assert harm == f"{sum(rows.value > 0)} of 72, {sum(rows.low > 0)} clearly"
    assert good == f"{sum(rows.value < 0)} of 72, {sum(rows.high < 0)} clearly"
    assert most.split(" ")[1] == f"{rows.value.max():+.1f}"
    assert least.split(" ")[1] == f"−{-rows.value.min():.1f}"
