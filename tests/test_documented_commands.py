"""Every command of README.md and docs/ can be typed: its words, options, targets, settings.

Each is read as the program that it names reads it, and none is run: what they do is for the other
tests. A folder that a command names need not exist.
"""

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from dvc.cli import parse_args
from typer.main import get_command

from tuneprobe.cli import app
from tuneprobe.experiment import changed_params

ROOT = Path(__file__).parent.parent
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"(?:^|\s)#.*")
APART = re.compile(r"&&|\|\||;|&$|(?<=\bdo )")
AROUND = re.compile(
    r"^\s*(?:(?:[A-Z_]+=(?:'[^']*'|\S+)|do)\s+)+"
)  # variables of a command, a loop's word
TARGETS = re.compile(r"^([a-z][a-z -]*):(?!=)", re.MULTILINE)
SHELL = {"cd", "done", "export", "for", "set", "sha256sum", "source", "touch"}
OTHERS = {"accelerate", "dask", "docker", "git", "srun", "torchrun", "uv"}


def commands(text: str) -> list[str]:
    """The commands of all blocks of a document, without comments, variables and loops."""
    lines = "\n".join(BLOCK.findall(text)).replace("\\\n", " ").splitlines()
    parts = [part for line in lines for part in APART.split(COMMENT.sub("", line))]
    found = [re.sub(r"\$\{?\w+\}?", "13", AROUND.sub("", part)).strip() for part in parts]
    return [one for one in found if one and one.split()[0] not in SHELL]


DOCUMENTED = [
    pytest.param(command, id=f"{path.name}: {command[:60]}")
    for path in DOCUMENTS
    for command in dict.fromkeys(commands(path.read_text(encoding="utf-8")))
]


def read(command: Any, words: list[str], parent: Any = None) -> None:
    """Read the words of a command and of the one under it, as far as files need not exist."""
    try:
        context = command.make_context(command.name, list(words), parent=parent)
    except typer.Exit:  # --version
        return
    except typer.BadParameter as error:
        if "does not exist" not in error.message:
            raise
        return
    if hasattr(command, "resolve_command"):
        _, under, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        read(under, rest, context)


def settings(words: list[str]) -> list[str]:
    """What ``tuneprobe run NAME key=value`` or ``dvc exp run -S key=value`` changes."""
    if words[:2] == ["tuneprobe", "run"]:
        return words[3:]
    return [after for word, after in pairwise(words) if word == "-S"]


@pytest.mark.parametrize("command", DOCUMENTED)
def test_a_documented_command_can_be_typed(command: str, root: Path, monkeypatch) -> None:
    monkeypatch.chdir(root)
    program, *words = shlex.split(command)
    if program == "tuneprobe":
        read(get_command(app), words)
    elif program == "dvc":
        parse_args(words)
    elif program == "make":
        targets = " ".join(TARGETS.findall((root / "Makefile").read_text())).split()
        assert {word for word in words if "=" not in word} <= set(targets)
    elif program in ("python", "pytest"):
        assert any((root / word).is_file() for word in words)
    else:
        assert program in OTHERS
    changed_params(settings([program, *words]))


@pytest.mark.parametrize(
    "command",
    [
        "tuneprobe repro --job 2",
        "tuneprobe encoder fetches mpnet-base",
        "dvc exp runs",
        "make repros",
        "tuneprobe run slow finetune.rate=1",
        "python benchmarks/none.py",
        "tunprobe show",
    ],
)
def test_a_wrong_command_is_found(command: str, root: Path, monkeypatch) -> None:
    with pytest.raises(Exception, match=r"\S"):
        test_a_documented_command_can_be_typed(command, root, monkeypatch)


def test_a_document_is_read_as_a_shell_reads_it() -> None:
    text = "```sh\nfor x in a b; do make \\\n  data; done  # all\nA=1 B=2 dvc pull && cd d\n```\n"
    assert commands(text) == ["make    data", "dvc pull"]
