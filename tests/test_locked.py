"""What is installed: every archive by its hash, from any folder."""

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

LOCKS = (
    "requirements-build.lock",
    "requirements-torch.lock",
    "requirements.lock",
    "requirements-dev.lock",
)


def locked(file: Path) -> dict[str, list[str]]:
    """The hashes of every version that a lock file pins, by plain name."""
    text = file.read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        pin, *hashes = line.split()
        found[plain(pin.split("==")[0])] = hashes
        assert "==" in pin, line
    return found


def plain(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name
    return re.sub(r"[._-]+", "-", name[0]).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_archive_has_a_hash(root: Path, name: str) -> None:
    pins = locked(root / name)
    assert pins
    for package, hashes in pins.items():
        assert hashes, package
        assert all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", one) for one in hashes), package


def test_every_requirement_is_locked(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    build, torch, run, dev = (locked(root / name) for name in LOCKS)
    run |= torch
    assert {plain(one) for one in project["build-system"]["requires"]} <= build.keys()
    assert {plain(one) for one in project["project"]["dependencies"]} <= run.keys()
    asked = {plain(one) for one in project["project"]["optional-dependencies"]["dev"]}
    assert asked <= run.keys() | dev.keys()
    assert not run.keys() & dev.keys()


def test_torch_may_be_a_wheel_for_the_cpu_alone_or_one_of_the_index(root: Path) -> None:
    assert len(locked(root / "requirements-torch.lock")["torch"]) > 20


def test_a_blank_in_the_path_of_the_checkout_is_quoted(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "some dir"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", *LOCKS):
        shutil.copy(root / name, folder)
    make = ["make", "--silent", "--dry-run", "tools"]
    done = subprocess.run(make, cwd=folder, capture_output=True, text=True, check=True)
    lines = [line.split(" 2> ")[0] for line in done.stdout.splitlines()]
    calls = [shlex.split(line) for line in lines if " pip " in line]
    assert len(calls) == 6  # torch has two, one of which is tried first
    assert {call[0] for call in calls} == {str(folder / ".venv/bin/python")}


def test_make_alone_lists_what_it_can_do(root: Path) -> None:
    done = subprocess.run(["make"], cwd=root, capture_output=True, text=True, check=True)
    for target in ("setup", "repro", "test", "lock"):
        assert re.search(rf"^{target} +\w", done.stdout, re.MULTILINE)
