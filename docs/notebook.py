"""Write docs/library.ipynb: docs/library.md as a notebook, its examples executed.

``python docs/notebook.py`` does it; a test executes the cells again and compares.
"""

import doctest
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from traceback import format_exception_only
from typing import Any

SOURCE, NOTEBOOK = Path(__file__).with_name("library.md"), Path(__file__).with_name("library.ipynb")
BLOCK = re.compile(r"```python\n(.*?)```\n", re.DOTALL)


def cells(text: str) -> Iterator[tuple[str, list[doctest.Example], str]]:
    """Kind (``markdown`` or ``code``), examples and source of each cell of a text."""
    for number, part in enumerate(BLOCK.split(text)):
        if number % 2 == 0 and part.strip():
            yield "markdown", [], part.strip()
        elif number % 2:
            examples = doctest.DocTestParser().get_examples(part)
            yield "code", examples, "".join(example.source for example in examples).rstrip()


def execute(examples: list[doctest.Example], names: dict[str, Any]) -> str:
    """Run the statements of a cell; what they show, as the interpreter shows it."""
    shown = StringIO()
    for example in examples:
        with redirect_stdout(shown):
            try:
                exec(compile(example.source, "cell", "single"), names)
            except Exception as error:
                if example.exc_msg is None:
                    raise
                shown.write("".join(format_exception_only(error)))
    return shown.getvalue()


def notebook(text: str) -> dict[str, Any]:
    """The executed notebook of a text with examples."""
    names: dict[str, Any] = {}
    made: list[dict[str, Any]] = []
    count = 0
    for kind, examples, source in cells(text):
        cell: dict[str, Any] = {
            "cell_type": kind,
            "id": f"cell-{len(made)}",
            "metadata": {},
            "source": source,
        }
        if any(example.exc_msg for example in examples):
            cell["metadata"] = {"tags": ["raises-exception"]}
        if kind == "code":
            count += 1
            shown = execute(examples, names)
            stream = {"name": "stdout", "output_type": "stream", "text": shown}
            cell |= {"execution_count": count, "outputs": [stream] if shown else []}
        made.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


if __name__ == "__main__":
    found = notebook(SOURCE.read_text(encoding="utf-8"))
    NOTEBOOK.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
