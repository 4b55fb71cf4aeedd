"""Damage in stored artifacts: every object is read again and compared with the MD5 that names it.

DVC trusts what it once wrote: a read-only file of the cache is checked out without a look at its
bytes, and a folder whose listing is in a remote counts as pushed whole. So `dvc status` is silent
about a byte that flipped in either; this check is not.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from tqdm import tqdm

from tuneprobe.errors import TuneprobeError

OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")
FOLDER = re.compile(r"[0-9a-f]{2}")  # of objects whose MD5 begins so
RECORDED_PATHS = ("results/", "report/index.html")  # what shows a run without computing it


class StorageError(TuneprobeError):
    """Storage that cannot be read, or that holds damaged objects."""


@dataclass(frozen=True)
class Damage:
    """A file whose bytes are not those that its MD5 promises.

    Attributes
    ----------
    path : str
        Where it lies: the object in a cache or remote, or the file in the workspace.
    artifact : str
        The file of this checkout that it holds, or "" if this checkout uses it nowhere.
    oid : str
        The MD5 that it should have.
    """

    path: str
    artifact: str
    oid: str


def open_repository() -> Repo:
    """The DVC repository of the current folder."""
    try:
        return Repo()
    except DvcException as error:
        raise StorageError(f"{Path.cwd()} is no DVC repository: go to the top of one.") from error


def damaged_objects(repo: Repo, remote: str | None = None) -> list[Damage]:
    """Damaged objects of the local cache, or of a remote, which is then read as a whole."""
    if remote:
        require_remote(repo, remote)
    odb = object_store(repo, remote)
    names = {oid: name for name, oid in tracked_files(repo)}
    return [
        Damage(odb.oid_to_path(oid), names.get(oid, ""), oid)
        for oid in tqdm(object_names(odb), "read", unit="object", disable=None)
        if content_md5(odb, odb.oid_to_path(oid)) != oid.removesuffix(".dir")
    ]


def damaged_files(repo: Repo) -> list[Damage]:
    """Files of the workspace that DVC takes for unchanged, but whose bytes are others.

    They were checked out from a damaged cache, or decayed. A file that someone edited is not among
    them: `dvc status` names it.
    """
    local = repo.cache.local
    edited = set(repo.data_status(granular=True)["uncommitted"].get("modified", []))
    return [
        Damage(path, name, oid)
        for name, oid in tracked_files(repo)
        if name not in edited
        and local.fs.isfile(path := repo.fs.join(repo.root_dir, name))
        and content_md5(local, path) != oid
    ]


def artifacts_here(repo: Repo) -> tuple[int, int]:
    """How many artifacts of this checkout lie in the workspace or the cache, and of how many."""
    local = repo.cache.local
    outs = [out for out in repo.index.outs if out.use_cache and out.hash_info]
    here = [out.exists or local.fs.exists(local.oid_to_path(out.hash_info.value)) for out in outs]
    return sum(here), len(outs)


def require_remote(repo: Repo, remote: str | None) -> str:
    """The name of a remote (None: the default one) that holds something.

    Raises
    ------
    StorageError
        If there is none, it cannot be read, its folder is missing or it is empty. DVC itself lists
        the hash of every file that such a remote lacks.
    """
    name = remote or repo.config["core"].get("remote")
    if not name:
        raise StorageError("no remote is set: 'dvc remote add --default NAME ADDRESS' sets one.")
    odb = object_store(repo, name)
    if not _holds_something(odb):
        address = odb.fs.unstrip_protocol(odb.path)
        raise StorageError(
            f"the remote '{name}' ({address}) is not there or holds nothing: run 'dvc push' where "
            "the artifacts are, correct the address as docs/storage.md says, bring the recorded "
            "page and rows by 'make recorded', or compute all by 'dvc repro'."
        )
    return str(name)


@dataclass(frozen=True)
class Held:
    """What a remote holds of this checkout.

    Attributes
    ----------
    there, of : int
        How many artifacts it holds, and how many there are.
    targets : list of str
        What `dvc pull` is to be given to bring these alone: nothing if the remote holds all. DVC
        parses dvc.yaml and dvc.lock anew for each target, which takes seconds, so that stages held
        whole are named by their group.
    """

    there: int
    of: int
    targets: list[str]


def held(repo: Repo, remote: str) -> Held:
    """Which artifacts of this checkout a remote holds."""
    odb = object_store(repo, remote)
    outs = [out for out in repo.index.outs if out.use_cache and out.hash_info]
    there = {out for out in outs if odb.fs.exists(odb.oid_to_path(out.hash_info.value))}
    if len(there) == len(outs):
        return Held(len(outs), len(outs), [])
    groups: dict[str, list[Any]] = defaultdict(list)
    for out in outs:
        groups[out.stage.addressing.partition("@")[0]].append(out)
    whole = [name for name, members in groups.items() if there.issuperset(members)]
    paths = [
        repo.fs.relpath(out.fs_path, repo.root_dir)
        for name, members in groups.items()
        if name not in whole
        for out in members
        if out in there
    ]
    # Paths come first: DVC collects the names before them twice.
    return Held(len(there), len(outs), paths + whole)


def record(repo: Repo, remote: str) -> int:
    """Make this run the recorded one: a committed remote holds its page and result rows alone.

    Parameters
    ----------
    remote : str
        A remote that is a folder of this repository. What it held before is removed.

    Returns
    -------
    int
        How many artifacts it holds now.

    Raises
    ------
    StorageError
        If an artifact is not here as dvc.lock has it, the remote is no folder of the repository,
        or it takes nothing.
    """
    outs = [out for out in repo.index.outs if out.use_cache and out.hash_info]
    paths = {repo.fs.relpath(out.fs_path, repo.root_dir): out for out in outs}
    kept = {path: out for path, out in paths.items() if path.startswith(RECORDED_PATHS)}
    lost = [path for path, out in kept.items() if not out.exists or out.changed_checksum()]
    if lost or not kept:
        raise StorageError(
            f"{len(lost)} of {len(kept)} results and pages here are not what dvc.lock has "
            f"({', '.join(lost[:3])}): run 'dvc repro' first."
        )
    odb = object_store(repo, remote)
    if not Path(odb.path).resolve().is_relative_to(Path(repo.root_dir).resolve()):
        raise StorageError(f"the remote '{remote}' ({odb.path}) is no folder of {repo.root_dir}.")
    for name in object_names(odb):
        odb.fs.remove(odb.oid_to_path(name))
    try:
        repo.push(list(kept), remote=remote)
    except DvcException as error:
        raise StorageError(f"the results could not be pushed to '{remote}': {error}") from error
    return len(kept)


def remove(repo: Repo, damage: list[Damage], remote: str | None = None) -> None:
    """Remove damaged files, so that `dvc pull` (or `dvc push`, for a remote) brings them again.

    In a remote the listings of the folders that they belong to are removed too: while a listing
    is there, `dvc push` takes the whole folder for pushed.
    """
    odb = object_store(repo, remote)
    bad = {item.oid for item in damage}
    for item in damage:
        odb.fs.remove(item.path)
    if remote is None:
        return
    for oid in [oid for oid in object_names(odb) if oid.endswith(".dir")]:
        if bad & {entry["md5"] for entry in read_listing(odb, oid)}:
            odb.fs.remove(odb.oid_to_path(oid))


def object_store(repo: Repo, remote: str | None) -> Any:
    """DVC's objects in the local cache (None) or in the remote of that name."""
    try:
        return repo.cloud.get_remote_odb(remote) if remote else repo.cache.local
    except DvcException as error:
        raise StorageError(f"the remote '{remote}' cannot be used: {error}") from error
    except ImportError as error:  # "webdav is supported, but requires 'dvc-webdav' ..."
        raise StorageError(
            f"the remote '{remote}' cannot be used: {error} (pip install -e '.[webdav]', or "
            "'.[ssh]')."
        ) from error


def object_names(odb: Any) -> list[str]:
    """MD5 of every object, those of folders with ``.dir``; what is no object is passed over."""
    try:
        found = list(odb.fs.find(odb.path)) if odb.fs.exists(odb.path) else []
    except Exception as error:  # every kind of storage has errors of its own
        raise _unreadable(odb, error) from error
    paths = (str(path).rsplit("/", 2)[1:] for path in found)
    return sorted(name for parts in paths if OBJECT.fullmatch(name := "".join(parts)))


def tracked_files(repo: Repo) -> Iterator[tuple[str, str]]:
    """Path, from the top of the repository, and MD5 of every file that DVC tracks."""
    for out in repo.index.outs:
        oid = out.hash_info.value if out.hash_info else None
        name = repo.fs.relpath(out.fs_path, repo.root_dir) if oid else ""
        if not oid or not out.use_cache:
            continue
        if not oid.endswith(".dir"):
            yield name, oid
        elif repo.cache.local.fs.exists(repo.cache.local.oid_to_path(oid)):
            for entry in read_listing(repo.cache.local, oid):
                yield f"{name}/{entry['relpath']}", entry["md5"]


def _holds_something(odb: Any) -> bool:
    """Whether an object store is there and not empty, from the names of its 256 folders alone.

    A list of all objects takes minutes where the server hashes each to list it.
    """
    try:
        found = list(odb.fs.ls(odb.path, detail=False)) if odb.fs.exists(odb.path) else []
    except Exception as error:  # every kind of storage has errors of its own
        raise _unreadable(odb, error) from error
    return any(FOLDER.fullmatch(str(path).rstrip("/").rpartition("/")[2]) for path in found)


def _unreadable(odb: Any, error: Exception) -> StorageError:
    return StorageError(f"{odb.fs.unstrip_protocol(odb.path)} cannot be read: {error}")


def read_listing(odb: Any, oid: str) -> list[dict[str, str]]:
    """The files of a folder; a damaged listing names none."""
    with odb.fs.open(odb.oid_to_path(oid), "rb") as file:
        try:
            listing: list[dict[str, str]] = json.load(file)
        except ValueError:
            return []
    return listing


def content_md5(odb: Any, path: str) -> str:
    """MD5 of a file's bytes, read in pieces of 1 MiB."""
    digest = md5(usedforsecurity=False)
    with odb.fs.open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
