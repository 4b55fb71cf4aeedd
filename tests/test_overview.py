"""What a run says first: two tables, on the page and in README, from the same rows."""

import contextlib
import re
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer

from tuneprobe.cli import app
from tuneprobe.experiment import changed_params
from tuneprobe.formats.results import OVER_BASELINE, Result, stamp, to_frame
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.overview import (
    END,
    START,
    OverviewError,
    overview,
    pairs_table,
    tasks_table,
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
        gap(3.0, -1.0, "pretrained", **mlp)._replace(metric="gap"),
        gap(8.0, 7.0, "pretrained", classifier="mlp", layer=1)._replace(metric="gap"),
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
    lines = [list(map(str, row)) for row in tasks_table(made_up()).rows]
    pos = ["POS", "accuracy", "–", "–", "–", "90.0", "word type 81.0", "+9.0 [+5.0, +13.0]"]
    read = ["reading world", "short F1", "–", "–", "–", "30.0"]
    assert lines == [
        [*pos, "+3.0 [−1.0, +7.0]", "yes"],
        [*read, "word overlap 28.5", "+1.5 [−4.0, +7.0]", "–", "no"],
    ]


def test_a_baseline_has_its_own_score_where_it_is_measured_beside_one_seed_alone():
    mlp = {"classifier": "mlp", "layer": 2, "n": 40}
    over = gap(8.0, 4.0, "random", score="accuracy", classifier="mlp", layer=2)
    rows = [over, Result("accuracy", 82.0, state="random", **mlp)]
    rows += [Result("accuracy", 94.0, state="finetuned", **mlp)]  # over two seeds; of the first 90
    (line,) = tasks_table(to_frame(rows_of("world-pos", "classify", rows))).rows
    assert list(map(str, line))[5:8] == ["94.0", "random weights 82.0", "+8.0 [+4.0, +12.0]"]


def test_the_seeds_that_agree_are_counted():
    rows = made_up()
    other = rows.assign(seed=2, low=-9.0)
    lines = tasks_table(rows, pd.concat([rows, other])).rows
    assert [row[-1] for row in lines] == ["1 of 2", "2 of 2"]
    draw = rows[rows.state == "random"].assign(seed=3)
    assert [row[-1] for row in tasks_table(rows, pd.concat([rows, draw])).rows] == ["yes", "no"]


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


def test_the_findings_of_readme_are_in_the_rows_that_they_name(root: Path):
    text = (root / "README.md").read_text(encoding="utf-8")
    recorded = (root / "docs" / "results-nq.md").read_text(encoding="utf-8")
    rows: dict[str, str] = {}
    for line in recorded.splitlines():
        if line.startswith("|"):
            name = line.split("|")[1].strip()
            rows[name] = rows.get(name, "") + line
    block = text.partition("## Three findings")[2].partition("\nThe claims")[0]
    findings = [finding for finding in block.split("\n- ")[1:] if finding]
    assert len(findings) == 3
    for finding in findings:
        for part in re.split(r"(?=[Ff]or \*)", finding)[1:]:
            named = re.search(r"\*([\w ]+)\*", part)
            assert named, part
            numbers = re.findall(r"[−+]?\d+\.\d", part)
            assert len(numbers) >= 2, part
            for number in numbers:
                found = re.search(rf"(?<![\d.]){re.escape(number)}", rows[named[1]])
                assert found, (named[1], number)
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text):
        assert (root / picture).is_file()


def test_every_command_of_readme_and_of_start_is_one_that_there_is(root: Path):
    """Names and options of `tuneprobe`, targets of make, and the settings of experiments."""
    known = typer.main.get_command(app)
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    typed = [
        line
        for name in ("README.md", "docs/start.md", "docs/experiments.md", "docs/encoders.md")
        for language, block in re.findall(
            r"```(\w*)\n(.*?)```", (root / name).read_text(encoding="utf-8"), re.DOTALL
        )
        if language in ("", "sh")
        for line in block.replace("\\\n", " ").splitlines()
    ]
    seen = 0
    for line in typed:
        spoken = line.startswith(("tuneprobe ", "make "))
        words = shlex.split(line, comments=True) if spoken else []
        if words[:1] == ["tuneprobe"]:
            seen += 1
            command: Any = known
            rest = words[1:]
            while rest and rest[0] in getattr(command, "commands", {}):
                command = command.commands[rest.pop(0)]
            options = {option for one in command.params for option in one.opts} | {"--version"}
            asked = {word for word in rest if word.startswith("--")}
            assert asked <= options, line
            assert command is not known or asked, line
            if command.name == "run":
                changed_params_of(root, rest[1:])
        elif len(words) > 1:
            seen += 1
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
    assert seen > 30


def changed_params_of(root: Path, settings: list[str]) -> None:
    """The settings of an experiment are understood, with the entry that a user makes first."""
    if any("[mine]" in one for one in settings) and "encoders.mine" not in " ".join(settings):
        settings = ["+encoders.mine={path: x, base: minilm-l6}", *settings]
    with contextlib.chdir(root):
        changed_params(settings)


def test_a_text_without_the_marks_is_refused():
    assert with_results(f"a{START} old {END}b", "new") == f"a{START}\n\nnew\n{END}b"
    with pytest.raises(OverviewError, match="put both where"):
        with_results(f"a {END} b {START}", "new")


def test_a_task_is_called_what_its_entry_says():
    labels = {"world-pos": {"label": "word classes"}, "world-dep": {"label": ""}}
    run = PageInputs(made_up(), params={"tasks": labels})
    assert [run.label(name) for name in ("world-pos", "world-dep")] == ["word classes", "DEP"]
    assert tasks_table(run.results, None, run.label).rows[0][0] == "word classes"
