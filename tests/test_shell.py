"""No text of params.yaml is ever a command of a shell."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

RECORDER = '#!/bin/sh\nfor word in "$@"; do printf "%s\\0" "$word" >> called; done\n'
EVIL = ["x; touch pwned", "$(touch pwned)", "`touch pwned`", "a' && touch pwned && 'b", "a\ttouch"]


def replaced(value: Any, evil: str) -> Any:
    """The same structure with a hostile text in place of every text, number and name."""
    if isinstance(value, dict):
        return {key: replaced(entry, evil) for key, entry in value.items()}
    if isinstance(value, list):
        return [replaced(entry, evil) for entry in value[:1] or [evil]]
    return evil


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_text_anywhere_in_params_reaches_scripts_as_one_word_and_no_shell(
    root: Path, tmp_path: Path, evil: str
) -> None:
    for name in ("dvc.yaml", "data.dvc", ".dvc/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    params = yaml.safe_load((root / "params.yaml").read_text())
    hostile = replaced(params, evil)
    hostile["tasks"][evil] = hostile["encoders"][evil] = {"path": evil}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(hostile))
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    with Repo(str(tmp_path)) as repo:
        commands = {stage.cmd for stage in repo.index.stages if stage.cmd}
    assert len(commands) > 20
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(RECORDER)
    python.chmod(0o755)
    where = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/sh", "-c", "\n".join(sorted(commands))],
        cwd=tmp_path,
        env=where,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "pwned").exists()
    words = (tmp_path / "called").read_text().split("\0")
    assert words.count(evil) > 60, "the scripts get the text as it is"
