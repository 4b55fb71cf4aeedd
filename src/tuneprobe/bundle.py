"""A run to hand on without the repository: page, numbers, conditions, provenance, and their hashes.

A bundle is a folder: the files keep the paths that they have in the repository, and SHA256SUMS
lists them as `sha256sum` does, so that `sha256sum --check SHA256SUMS` verifies it too.
"""

import re
import shutil
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path

from tuneprobe.artifacts import META, ArtifactError, atomic_folder
from tuneprobe.digests import SUMS, file_sha256
from tuneprobe.errors import TuneprobeError
from tuneprobe.paths import FIGURES, PAGE, PLOTS, SUMMARY
from tuneprobe.yaml_file import LOCK_BYTES, read_yaml

CONDITIONS = ("params.yaml", "dvc.yaml", "dvc.lock", "data.dvc")
LISTED = re.compile("([0-9a-f]{64})  (.+)")


class BundleError(TuneprobeError):
    """A bundle that would be of no one run, or whose bytes are not those that it lists."""


def write_bundle(folder: Path, repository: Path = Path()) -> int:
    """Copy the run of `repository` into the new `folder`; return the number of files.

    Page and numbers must be those that dvc.lock records, else the bundle would mix two runs.
    """
    if folder.exists():
        raise BundleError(f"{folder} exists: name a folder that does not.")
    recorded = recorded_outputs(repository / "dvc.lock")
    for path in (PAGE, SUMMARY):
        check_recorded(repository / path, recorded.get(path))
    files = sorted(bundled_files(repository, recorded))
    with atomic_folder(folder, sums=False) as part:
        for name in files:
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(repository / name, part / name)
        lines = [f"{file_sha256(part / name)}  {name.as_posix()}\n" for name in files]
        (part / SUMS).write_text("".join(lines), encoding="utf-8")
    return len(files)


def recorded_outputs(lock: Path) -> dict[Path, str]:
    """Path and MD5 of every output that dvc.lock records."""
    if not lock.exists():
        raise ArtifactError(f"{lock} is missing: run 'dvc repro' (or 'git checkout {lock}').")
    stages = read_yaml(lock, max_bytes=LOCK_BYTES).get("stages", {})
    try:
        outs = [out for stage in stages.values() for out in stage.get("outs", [])]
        recorded = {Path(out["path"]): out["md5"] for out in outs}
    except (AttributeError, KeyError, TypeError):
        raise ArtifactError(f"{lock} does not list outputs: run 'git checkout {lock}'.") from None
    for path in recorded:
        if path.is_absolute() or ".." in path.parts:
            raise BundleError(f"{lock} lists {path}, which lies outside the repository.")
    return recorded


def check_recorded(path: Path, expected: str | None) -> None:
    """Refuse a file that is missing or is not of the recorded run."""
    if not path.exists():
        raise ArtifactError(f"{path} is missing: run 'dvc repro' (or 'dvc pull').")
    if md5(path.read_bytes(), usedforsecurity=False).hexdigest() != expected:
        raise BundleError(f"{path} is not the one of dvc.lock: run 'dvc repro' first.")


def bundled_files(repository: Path, recorded: dict[Path, str]) -> Iterator[Path]:
    """Paths, from the top of the repository, of what a bundle holds."""
    yield from (Path(name) for name in CONDITIONS)
    yield from (PAGE, SUMMARY)
    for folder, files in ((PLOTS, "*.csv"), (FIGURES, "*")):
        yield from (path.relative_to(repository) for path in (repository / folder).glob(files))
    yield from (out / META for out in recorded if (repository / out / META).is_file())


def verify_bundle(folder: Path) -> int:
    """Read every file of a bundle again; return their number.

    Raises
    ------
    BundleError
        Names every file that changed, is missing, or was added.
    """
    expected = listed_sums(folder / SUMS)
    inside = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    found = {path.relative_to(folder).as_posix() for path in inside} - {SUMS}
    odd = {path.relative_to(folder).as_posix() for path in inside if not is_plain(path)}
    faults = [f"{name} is a link or no file" for name in sorted(odd)]
    faults += [f"{name} is missing" for name in sorted(expected.keys() - found)]
    faults += [f"{name} is not listed" for name in sorted(found - expected.keys())]
    faults += [
        f"{name} has changed"
        for name in sorted((found & expected.keys()) - odd)
        if file_sha256(folder / name) != expected[name]
    ]
    if faults:
        raise BundleError(f"{folder} is not as it was written: {'; '.join(faults)}.")
    return len(expected)


def listed_sums(sums: Path) -> dict[str, str]:
    """The SHA-256 of every listed file."""
    if not sums.exists():
        raise BundleError(f"{sums} is missing: this is no bundle of 'tuneprobe bundle'.")
    text = sums.read_text(encoding="utf-8", errors="replace")
    lines = [LISTED.fullmatch(line) for line in text.splitlines()]
    found = {line[2]: line[1] for line in lines if line}
    if len(found) < len(lines):
        raise BundleError(f"{sums} is damaged: expected one line 'sha256  path' per file.")
    return found


def is_plain(path: Path) -> bool:
    """Whether the bytes of a path lie here: no link, pipe or device."""
    return path.is_file() and not path.is_symlink()
