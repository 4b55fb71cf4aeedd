"""Result rows of runs that are committed, read without DVC and without computing anything.

The recorded run lies in the remote `paths.RECORDED` as DVC stores it, the rows of other runs, on
other text or of other encoders, as plain files in ``recorded/runs/NAME``.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from tuneprobe.artifacts import atomic_folder, readable
from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.results import read_results
from tuneprobe.paths import RECORDED
from tuneprobe.yaml_file import parse_yaml

RUNS = RECORDED / "runs"
LOCK, PARAMS = "dvc.lock", "params.yaml"
LARGEST = 5_000_000  # bytes of a lock file


class RecordedError(TuneprobeError):
    """Nothing recorded where something was asked for."""


def recorded_tables(root: Path, tables: Iterable[Path]) -> dict[Path, pd.DataFrame]:
    """The recorded result rows of some tables, as far as they were recorded.

    Parameters
    ----------
    root : Path
        A checkout with the folder `RECORDED`.
    tables : iterable of Path
        From the checkout, such as ``results/E/T/classify/seed-13/layers.csv``.

    Raises
    ------
    RecordedError
        If the commit that recorded them, its lock file or an object is missing.
    """
    wanted = list(tables)
    digests = _recorded_files(root, {table.parent.as_posix() for table in wanted})
    return {
        table: read_results(_object(root, digests[table])) for table in wanted if table in digests
    }


def lay_out(root: Path, name: str, folder: Path) -> Path:
    """A folder from which a committed run is read as from the one that it ran in.

    Parameters
    ----------
    root : Path
        A checkout with the folder `RECORDED`.
    name : str
        Of a run in `RUNS`, or ``default``, the recorded one.
    folder : Path
        Made with params.yaml and the tables of the recorded run, where that is asked for.

    Raises
    ------
    RecordedError
        If no run has that name, or an object of the recorded one is missing.
    """
    if name != "default":
        if not (root / RUNS / name / PARAMS).is_file():
            there = ", ".join(sorted(path.name for path in (root / RUNS).glob("*")))
            raise RecordedError(f"no run '{name}' in {RUNS}: expected default or one of {there}.")
        return root / RUNS / name
    folder.mkdir(parents=True)
    (folder / PARAMS).write_bytes(_recorded_text(root, PARAMS))
    for table, digest in _recorded_files(root).items():
        if table.suffix == ".csv" and table.parent.name != "maps":
            (folder / table).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_object(root, digest), folder / table)
    return folder


def keep(root: Path, name: str, tables: Iterable[Path]) -> int:
    """Keep params.yaml and some tables of the run that is here as the run `name`; how many.

    What was kept under that name before is replaced.
    """
    wanted = list(tables)
    with atomic_folder(root / RUNS / name) as part:
        shutil.copyfile(root / PARAMS, part / PARAMS)
        for table in wanted:
            (part / table).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / table, part / table)
    return len(wanted)


def _recorded_files(root: Path, folders: set[str] | None = None) -> dict[Path, str]:
    """The digests of recorded files, by the file's path; those of some folders alone."""
    stages = parse_yaml(_recorded_text(root, LOCK), LOCK, LARGEST)["stages"]
    outs = [out for one in stages.values() for out in one.get("outs", [])]
    found: dict[Path, str] = {}
    for out in outs:
        of_results = out["path"].startswith("results/") and out["md5"].endswith(".dir")
        if of_results if folders is None else out["path"] in folders:
            listing = _object(root, out["md5"])
            with readable(listing):
                names = {one["relpath"]: one["md5"] for one in json.loads(listing.read_bytes())}
            found |= {Path(out["path"]) / name: digest for name, digest in names.items()}
    return found


def _recorded_text(root: Path, name: str) -> bytes:
    """A file as it was when the recorded run was committed; as it is, while that is not done."""
    try:
        objects = (RECORDED / "files").as_posix()
        if _git(root, "ls-files", "--others", "--", objects):
            return (root / name).read_bytes()
        log = _git(root, "log", "-1", "--format=%H", "--", objects)
        commit = log.decode().strip()
        text = _git(root, "show", f"{commit}:{name}") if commit else b""
    except (OSError, subprocess.CalledProcessError):
        text = b""
    if not text:
        raise RecordedError(
            f"no commit of {root.absolute()} has {RECORDED}/ and {name}: use a clone with its "
            "history, or compare two revisions with 'tuneprobe compare'."
        )
    return text


def _object(root: Path, digest: str) -> Path:
    path = root / RECORDED / "files" / "md5" / digest[:2] / digest[2:]
    if not path.is_file():
        raise RecordedError(f"{path} is missing: take the folder {RECORDED} from the commit again.")
    return path


def _git(root: Path, *words: str) -> bytes:
    return subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True).stdout
