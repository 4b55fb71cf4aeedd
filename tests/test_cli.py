"""The command line: what `show` prints, and where a mistake ends."""

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tuneprobe.artifacts import ArtifactError
from tuneprobe.cli import app, main
from tuneprobe.corpora.fetch import WRITERS
from tuneprobe.stage import exit_on_mistake


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics").mkdir()
    path = tmp_path / "metrics" / "summary.json"
    path.write_text('{"f1": 61.234, "long_f1": 50.0}')
    return path


def test_show_prints_every_headline_number_under_its_study(summary: Path) -> None:
    summary.write_text('{"f1": 61.234, "new": 1.0, "pos_accuracy": 90.0, "long_f1": 50.0}')
    printed = CliRunner().invoke(app, ["show"]).stdout.splitlines()
    assert [line.split() for line in printed] == [
        ["Pairs", "that", "reading", "needs"],
        ["long_f1", "50.00", "%"],
        ["f1", "61.23", "%"],
        ["Spaces", "of", "labels"],
        ["pos_accuracy", "90.00", "%"],
        ["Other"],
        ["new", "1.00"],
    ]


def test_show_says_what_the_recorded_numbers_are_of_in_120_columns(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "120")
    lines = CliRunner().invoke(app, ["show"]).stdout.splitlines()
    assert max(map(len, lines)) <= 120
    assert lines[0] == (
        "state finetuned · encoder minilm-l6 · corpus world (synthetic) · seed 13 · intervals 95 %"
    )
    numbers = json.loads((root / "metrics/summary.json").read_text())
    rows = CliRunner().invoke(app, ["show", "--markdown"]).stdout.splitlines()
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows if "|" in row][2:]
    assert {name: value for _, name, value, *_ in cells} == {
        name: f"{number:.2f}" for name, number in numbers.items()
    }
    for _, name, value, interval, _ in cells:
        if interval:
            low, high = map(float, interval.strip("[]").split(","))
            assert low <= float(value) <= high, name
    assert sum(bool(interval) for _, _, _, interval, _ in cells) > 10
    assert ["harmful_heads", "heads"] in [[row[1], row[4]] for row in cells]


def test_every_command_has_a_help_with_an_example() -> None:
    def commands(command: Any, words: list[str]) -> Iterator[list[str]]:
        below = getattr(command, "commands", {})
        for name, one in below.items():
            yield from commands(one, [*words, name])
        if not below:
            yield words

    assert "Exit codes: 0 done; 2 a mistake" in CliRunner().invoke(app, ["--help"]).stdout
    found = list(commands(typer.main.get_command(app), []))
    assert ["data", "fetch"] in found
    assert ["compare"] in found
    for words in found:
        shown = CliRunner().invoke(app, [*words, "--help"])
        assert shown.exit_code == 0
        assert f"Example: tuneprobe {' '.join(words)}" in shown.stdout


def test_show_prints_json_for_programs(summary: Path) -> None:
    assert json.loads(CliRunner().invoke(app, ["show", "--json"]).stdout)["f1"] == 61.234


def test_show_without_a_run_says_what_to_run(summary: Path) -> None:
    summary.unlink()
    error = CliRunner().invoke(app, ["show"]).exception
    assert isinstance(error, ArtifactError)
    assert "run 'dvc repro'" in str(error)


def test_a_file_system_that_refuses_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device", "examples/x")

    with pytest.raises(SystemExit) as stop:
        exit_on_mistake(full)
    assert stop.value.code == 2
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device: 'examples/x'\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 3.64 TiB for an array\nwith shape (1000000, 500000)"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: not enough memory"
        ),
        RuntimeError("CUDA out of memory."),
    ],
)
def test_memory_that_runs_out_is_one_line_that_says_what_to_lower(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def large() -> None:
        raise error

    with pytest.raises(SystemExit) as stop:
        exit_on_mistake(large)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: memory ran out (")
    assert "lower TUNEPROBE_WORKERS or, in params.yaml, tokens_per_batch" in line


def test_another_runtime_error_keeps_its_traceback() -> None:
    def wrong() -> None:
        raise RuntimeError("a mistake in the code")

    with pytest.raises(RuntimeError, match="a mistake in the code"):
        exit_on_mistake(wrong)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGPIPE])
def test_ctrl_c_and_a_reader_that_goes_away_leave_no_traceback(
    number: signal.Signals, root: Path
) -> None:
    code = "from tuneprobe.stage import run; import os, signal, sys\ndef main():\n"
    if number == signal.SIGINT:
        # a job in the background, as its children, ignores the signal
        code += "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        code += "    os.kill(os.getpid(), signal.SIGINT)\nrun(main)"
    else:
        code += "    print('line ' * 100_000)\nrun(main)"
    done = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.stdout
    assert done.stderr
    done.stdout.close()
    said = done.stderr.read()
    assert "Traceback" not in said
    assert done.wait() == (130 if number == signal.SIGINT else 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show"], "run 'dvc repro'"),
        (["compare", "main"], "cannot read"),
        (["check"], "no DVC repository"),
        (["bundle", "new"], "dvc.lock is missing"),
        (["bundle", "--verify", "new"], "SHA256SUMS is missing"),
        (["data", "fetch", "wrld"], "Did you mean 'world'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tuneprobe", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert says in line


def test_every_progress_bar_is_quiet_where_nobody_watches(root: Path) -> None:
    bars = 0
    for file in (root / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tqdm":
                assert any(word.arg == "disable" for word in node.keywords), file
                bars += 1
    assert bars > 12


BROKEN = {
    "a list": b"[1]",
    "no JSON": b"{",
    "bytes": b'{"f1": "\xff"}',
    "nested": b'{"f1": ' + b"[" * 100_000,
    "a long number": b'{"f1": ' + b"9" * 5000 + b"}",
    "a text": b'{"f1": "61"}',
    "null": b'{"f1": null}',
    "true": b'{"f1": true}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_summary_that_is_none_is_one_line(
    summary: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    summary.write_bytes(content)
    one_line_of(["show"], capsys)


def one_line_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that must refuse says on stderr, less the way to its help."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tuneprobe", *words])
        with pytest.raises(SystemExit) as stop:
            main()
    assert stop.value.code == 2
    said = [
        line
        for line in capsys.readouterr().err.splitlines()
        if line.strip() and not line.startswith(("Usage:", "Try "))
    ]
    assert len(said) == 1, said
    return said[0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["shwo"], "No such command"),
        (["--verison"], "No such option"),
        (["data", "ftech"], "No such command"),
        (["data", "fetch"], "Missing argument"),
        (["data", "fetch", ""], "unknown corpus"),
        (["data", "fetch", "../x"], "unknown corpus '../x'"),
        (["data", "fetch", "qed", "--from", "nowhere"], "no such folder"),
        (["data", "fetch", "qed", "--from", "x://y"], "could not be downloaded"),
        (["data", "fetch", "qed", "--only", "zzz"], "has no file like"),
        (["data", "default", "--from", "nowhere", "--data", "d"], "no such folder"),
        (["show", "x"], "unexpected extra argument"),
        (["compare"], "Missing argument"),
        (["compare", "a", "b", "--out"], "requires an argument"),
        (["page"], "params.yaml is missing"),
        (["check", "--remote", "x"], "no DVC repository"),
        (["bundle"], "Missing argument"),
        (["bundle", "a/b/c"], "dvc.lock is missing"),
        (["bundle", "--verify", "/dev/null"], "/dev/null"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_call_is_one_line(
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(WRITERS, "world", lambda _: None)  # what is refused comes after it
    assert says in one_line_of(words, capsys)


def test_the_version_is_printed() -> None:
    printed = CliRunner().invoke(app, ["--version"])
    assert printed.exit_code == 0
    assert printed.stdout.split()[0] == "tuneprobe"


@pytest.mark.parametrize("words", [["show"], ["data", "list"], ["--help"]])
def test_a_locale_without_umlauts_is_no_obstacle(
    root: Path, summary: Path, words: list[str]
) -> None:
    summary.write_text('{"f\u00e4": 61.234}', encoding="utf-8")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONPATH": str(root / "src")}
    done = subprocess.run(
        [sys.executable, "-c", "from tuneprobe.cli import main; main()", *words],
        cwd=summary.parent.parent,
        env={**os.environ, **plain},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
