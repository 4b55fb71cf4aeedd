"""Presets of experiments: DVC, the schema and the graph understand what is queued."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps

from tuneprobe.params import Params, load_params

RECORDER = """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word" >> "$DVC_CALLS"; done
printf '\\n' >> "$DVC_CALLS"
"""


@pytest.fixture
def queued(root: Path, tmp_path: Path):
    """A function that runs a preset with a `dvc` that only writes down what it is told."""

    def run(preset: str, *variables: str) -> dict[str, list[str]]:
        recorder = tmp_path / "bin" / "dvc"
        recorder.parent.mkdir()
        recorder.write_text(RECORDER)
        recorder.chmod(0o755)
        (tmp_path / ".installed").touch()  # newer than what it is made from: no set-up
        calls = tmp_path / "calls"
        make = ["make", "--silent", preset, f"VENV={tmp_path}", *variables]
        environment = {**os.environ, "DVC_CALLS": str(calls)}
        done = subprocess.run(make, cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "dvc queue start --jobs" in done.stdout
        lines = [line.split("\0")[:-1] for line in calls.read_text().splitlines()]
        return dict(map(name_and_settings, lines))

    return run


def name_and_settings(words: list[str]) -> tuple[str, list[str]]:
    assert words[:4] == ["exp", "run", "--queue", "-n"]
    assert set(words[5::2]) == {"-S"}
    return words[4], words[6::2]


def with_settings(root: Path, folder: Path, settings: list[str]) -> Params:
    """params.yaml as DVC would write it for an experiment, read by the schema."""
    path = Path(shutil.copy(root / "params.yaml", folder / "params.yaml"))
    apply_overrides(path, settings)
    return load_params(path)


@pytest.mark.parametrize("preset", ["exp-states", "exp-encoders", "exp-seeds", "exp-paper"])
def test_every_setting_of_a_preset_is_in_the_schema(
    queued, root: Path, tmp_path: Path, preset: str
) -> None:
    runs = queued(preset)
    assert len(runs) == (3 if preset == "exp-states" else 1)
    seen = set()
    for name, settings in runs.items():
        assert len(get_hydra_sweeps({"params.yaml": settings})) == 1, f"{name} is no single run"
        params = with_settings(root, tmp_path, settings)
        seen.add(json.dumps(params.model_dump(), sort_keys=True))
    assert len(seen) == len(runs), "two runs of the preset are the same"


def test_a_preset_takes_other_values(queued) -> None:
    settings = ["run.seeds=[7,8]", "run.draws=[7,8]", "change.seeds=[8]"]
    assert queued("exp-seeds", "SEEDS=7,8") == {"seeds": settings}


def test_the_papers_grid_resolves_to_a_whole_graph(queued, root: Path, tmp_path: Path) -> None:
    runs = queued("exp-paper")
    folder = tmp_path / "workspace"
    shutil.copytree(root / ".dvc" / "plots", folder / ".dvc" / "plots")
    for name in ("dvc.yaml", "data.dvc", ".dvc/config"):
        shutil.copy(root / name, folder / name)
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    with_settings(root, folder, runs["paper"])
    with Repo(str(folder)) as repo:
        made = {Path(out.fs_path) for out in repo.index.outs}
        read = {Path(dep.fs_path) for dep in repo.index.deps if not hasattr(dep, "params")}
    lacking = {path.relative_to(folder) for path in read - made if "crossed" not in path.parts}
    folders = {"examples", "results", "training"}  # of what other stages make
    assert {path.parts[0] for path in lacking} <= {"src", "stages", ".dvc", *folders}
    assert {str(path) for path in lacking if path.parts[0] in folders} <= folders
