"""A script: write 2 MB to a folder with each library that writes artifacts.

Prints as JSON what each attempt said in the end, and what it left.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from tuneprobe.artifacts import atomic_file, atomic_folder, reserve, write_json
from tuneprobe.errors import TuneprobeError

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


if __name__ == "__main__":
    disk = Path(sys.argv[1])
    ends = {name: attempt(write, disk / "out", name) for name, write in WRITERS.items()}
    ends["file"] = attempt(WRITERS["text"], disk / "out", "file")
    sys.stdout.write(json.dumps(ends))
