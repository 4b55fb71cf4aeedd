"""A script: write 2 MB to a folder with each library that writes artifacts.

Then several files in one step, and a training curve. Prints as JSON what each attempt said in the
end, and what it left.
"""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from tuneprobe.artifacts import atomic_file, atomic_files, atomic_folder, reserve, write_json
from tuneprobe.errors import TuneprobeError
from tuneprobe.tuning.curves import training_curve

NUMBERS = np.random.default_rng(0).normal(size=(500, 500))
TABLE = pd.DataFrame(NUMBERS).rename(columns=str)


def mapped(path: Path) -> None:
    store = np.lib.format.open_memmap(path, mode="w+", dtype=NUMBERS.dtype, shape=NUMBERS.shape)
    reserve(path)
    store[:] = NUMBERS


WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("2 MB" * 500_000),
    "csv": lambda path: TABLE.to_csv(path),
    "parquet": lambda path: TABLE.to_parquet(path),
    "npy": lambda path: np.save(path, NUMBERS),
    "mapped": mapped,
    "safetensors": lambda path: save_file({"weight": NUMBERS}, path),
    "tokenizer": lambda path: Tokenizer(WordLevel({f"{n}": n for n in range(200_000)})).save(
        str(path)
    ),
    "json": lambda path: write_json(path, NUMBERS.tolist()),
}


def attempt(write: Callable[[Path], object], target: Path, name: str) -> dict[str, object]:
    try:
        if name == "file":
            with atomic_file(target) as part:
                write(part)
        else:
            with atomic_folder(target) as part:
                (part / "whole").write_text("whole")
                write(part / name)
    except TuneprobeError as error:
        said = str(error)
    else:
        said = "no error"
    return {"said": said, "left": [path.name for path in target.parent.iterdir()]}


def attempt_files(target: Path) -> dict[str, object]:
    """Several files as `collect` writes them, of which one has room and one has not."""
    target.mkdir()
    (target / "summary.json").write_text("old")
    try:
        with atomic_files(target) as part:
            write_json(part / "summary.json", {})
            (part / "plots").mkdir()
            WRITERS["csv"](part / "plots" / "curve.csv")
    except TuneprobeError as error:
        said = str(error)
    else:
        said = "no error"
    left = {path.name: path.read_text() for path in target.iterdir()}
    shutil.rmtree(target)
    return {"said": said, "left": left}


def attempt_curve(folder: Path) -> dict[str, object]:
    """A training curve on a disk that something else has filled."""
    filler = folder.parent / "filler"
    with filler.open("wb") as file:
        file.write(bytes(shutil.disk_usage(folder.parent).free))
    try:
        with training_curve(folder, []) as plot:
            plot([1.0] * 10)
    except TuneprobeError as error:
        said = str(error)
    else:
        said = "no error"
    filler.unlink()
    return {"said": said, "left": [path.name for path in folder.parent.iterdir()]}


if __name__ == "__main__":
    disk = Path(sys.argv[1])
    ends = {name: attempt(write, disk / "out", name) for name, write in WRITERS.items()}
    ends["file"] = attempt(WRITERS["text"], disk / "out", "file")
    ends["files"] = attempt_files(disk / "metrics")
    ends["curve"] = attempt_curve(disk / "curve")
    sys.stdout.write(json.dumps(ends))
