"""The default data, world and WordNet, guarded by data.dvc.

``dvc repro`` silently records whatever lies in data/, so what came is compared with what data.dvc
records *before* anything is replaced:

    outs:
    - md5: 0d5e....dir
      nfiles: 14
      hash: md5
      path: data
"""

import json
import shutil
from collections.abc import Iterable
from hashlib import file_digest, md5
from pathlib import Path

from tuneprobe.artifacts import scratch_folder
from tuneprobe.corpora.fetch import write_corpus
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.registry import get_corpus
from tuneprobe.yaml_file import YamlFileError, read_yaml

DEFAULT = ("world", "wordnet")
IGNORED = (".part", "__pycache__")  # as in .dvcignore

Listing = dict[str, str]


def fetch_default(data: Path, source: str | None = None) -> str:
    """Bring the default corpora into `data`, unless they would not be those that data.dvc records.

    Other corpora in `data` stay as they are. Returns a sentence that says what was done.

    Raises
    ------
    CorpusError
        If data.dvc records other bytes, or none at all. Nothing is replaced.
    """
    recorded = recorded_md5(data)
    if recorded == folder_md5({}):
        raise CorpusError(
            f"{_record(data)} records 0 files, as 'dvc repro' makes it of an empty {data}: restore "
            f"it ('git checkout {_record(data)}') and run this command again."
        )
    present = listing(data, DEFAULT)
    others = _others(data)
    if recorded and recorded == folder_md5(present):
        return f"{data} is what {_record(data)} records; nothing to do.{_unrecorded(others)}"
    kept = listing(data, others)
    if recorded and recorded == folder_md5({**kept, **present}):
        return f"{data} is what {_record(data)} records; nothing to do."
    with scratch_folder(data) as new:
        for name in DEFAULT:
            (new / name).mkdir()
            write_corpus(get_corpus(name), new / name, source)
        came = listing(new, DEFAULT)
        alone, together = folder_md5(came), folder_md5({**kept, **came})
        if recorded and recorded not in (alone, together):
            raise _refused(data, recorded, together, len(kept) + len(came))
        _replace(data, new)
    if not recorded:
        return f"{data} now holds {' and '.join(DEFAULT)}; 'dvc add {data}' records it."
    note = "" if recorded == together else _unrecorded(others)
    return f"{data} now holds what {_record(data)} records.{note}"


def recorded_md5(data: Path) -> str | None:
    """The md5 that ``<data>.dvc`` records; None where there is no such file."""
    record = _record(data)
    if not record.exists():
        return None
    try:
        return str(read_yaml(record)["outs"][0]["md5"])
    except (YamlFileError, KeyError, IndexError, TypeError):
        raise CorpusError(
            f"{record} does not record an md5. Restore it ('git checkout {record}')."
        ) from None


def listing(data: Path, corpora: Iterable[str]) -> Listing:
    """The md5 of each file of some corpora, by path below `data`; nothing for what is not there."""
    files = (path for name in corpora for path in (data / name).rglob("*") if path.is_file())
    found = {path.relative_to(data): path for path in files}
    return {
        place.as_posix(): _md5(path)
        for place, path in found.items()
        if not any(part.endswith(IGNORED) for part in place.parts)
    }


def folder_md5(files: Listing) -> str:
    """DVC's fingerprint of a folder: the md5 of its sorted JSON listing, and ``.dir``."""
    entries = [{"md5": digest, "relpath": path} for path, digest in sorted(files.items())]
    return md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def _record(data: Path) -> Path:
    return data.with_name(f"{data.name}.dvc")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "md5").hexdigest()


def _others(data: Path) -> list[str]:
    """The names of what else lies in `data`."""
    present = sorted(path.name for path in data.iterdir()) if data.is_dir() else []
    return [name for name in present if name not in DEFAULT and not name.endswith(IGNORED)]


def _unrecorded(others: list[str]) -> str:
    if not others:
        return ""
    return f" Not recorded: {', '.join(others)}; 'dvc add' or the next 'dvc repro' records it."


def _replace(data: Path, new: Path) -> None:
    """Move each default corpus from `new` into `data`, whole."""
    data.mkdir(parents=True, exist_ok=True)
    for name in DEFAULT:
        shutil.rmtree(data / name, ignore_errors=True)
        (new / name).replace(data / name)


def _refused(data: Path, recorded: str, came: str, n_files: int) -> CorpusError:
    return CorpusError(
        f"{data} would become {came} ({n_files} files), but {_record(data)} records {recorded}. "
        "Nothing was replaced. Reinstall the pinned versions ('make setup') and try again, or take "
        f"the recorded bytes ('dvc pull {_record(data)}'). If the change is meant, remove "
        f"{_record(data)}, run this command again and then 'dvc add {data}'."
    )
