"""The tables of docs/ are what the committed rows give."""

import sys
from pathlib import Path

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
    new = fill.filled(text, fill.laid_out(tmp_path))
    assert new.startswith(
        f"before\n{mark}\n| ability | seed 13 | all |\n|---|---|---|\n| synonyms |"
    )
    assert new.endswith("\n\n<!-- end of table -->\nafter")
    assert "stale" not in new
