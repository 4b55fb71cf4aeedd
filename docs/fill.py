"""Fill the tables of docs/*.md from the rows of committed runs; nothing is computed anew.

``python docs/fill.py`` (`make docs`) rewrites what stands between ``<!-- table: KIND RUN ... -->``
and ``<!-- end of table -->``; with ``--check`` it only says which files would change, exit code 1.
Kinds are those of docs/tables.py, runs ``default`` or a folder of recorded/runs.
"""

import re
import shlex
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from tables import KINDS, Runs

from tuneprobe.recorded import lay_out

DOCS = Path(__file__).parent
BLOCK = re.compile(r"(<!-- table: (.*?) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def laid_out(work: Path) -> Runs:
    """Each run, laid out once in a folder that is empty."""

    @cache
    def run(name: str) -> Path:
        return lay_out(DOCS.parent, name, work / name).absolute()

    return run


def filled(text: str, runs: Runs) -> str:
    """A text with its tables written anew."""

    def table(found: re.Match[str]) -> str:
        kind, *words = shlex.split(found[2])
        return f"{found[1]}\n{KINDS[kind](runs, *words)}\n\n{found[3]}"

    return BLOCK.sub(table, text)


def main(check: bool) -> int:
    """Fill every text, or only look; the exit code."""
    n_changed = 0
    with TemporaryDirectory() as work:
        runs = laid_out(Path(work))
        for path in sorted(DOCS.glob("*.md")):
            text = path.read_text(encoding="utf-8")
            new = filled(text, runs)
            if new != text:
                n_changed += 1
                typer.echo(
                    f"{path.relative_to(DOCS.parent)} {'differs' if check else 'is filled anew'}"
                )
                if not check:
                    path.write_text(new, encoding="utf-8")
    return int(check and n_changed > 0)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
