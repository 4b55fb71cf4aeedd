"""A contact sheet of attention maps for a person to label, and the labels read back.

The sheet is a folder: ``sheet.html``, the maps as pictures with their numbers, and ``labels.csv``,
a row for each map with an empty ``label``. It does not show what the classifiers say.
"""

import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader
from numpy.typing import NDArray

from tuneprobe.artifacts import atomic_folder
from tuneprobe.studies.attention.maps.maps import LayerMaps
from tuneprobe.studies.attention.patterns.classes import PATTERNS, PatternError

SHEET, LABELS = "sheet.html", "labels.csv"
COLUMNS = ("map", "encoder", "task", "state", "text", "layer", "head", "label")
NUMBERS = ("map", "layer", "head")

Map = NDArray[np.float32]


class SheetMaps:
    """Keeps a random sample of the maps that it is shown; a callable for `stream_maps`.

    Attributes
    ----------
    maps : dict of (state, text, layer, head) to float32 ndarray of shape (L, L)
        Cropped to the real pieces; text is a position, layers count from 1, heads from 0.
    """

    def __init__(
        self,
        count: int,
        states: Sequence[str],
        *,
        n_texts: int,
        n_layers: int,
        n_heads: int,
        rng: np.random.Generator,
    ) -> None:
        shape = (len(states), n_texts, n_layers, n_heads)
        total = int(np.prod(shape))
        drawn = rng.choice(total, size=min(count, total), replace=False)
        self._states = list(states)
        self._wanted: dict[tuple[int, int, int], list[int]] = {}
        for state, text, layer, head in np.stack(np.unravel_index(drawn, shape), axis=1).tolist():
            self._wanted.setdefault((state, text, layer + 1), []).append(head)
        self.maps: dict[tuple[str, int, int, int], Map] = {}

    def __call__(self, found: LayerMaps) -> None:
        """Copy the chosen maps of one layer and batch."""
        for number, (state, maps) in enumerate(zip(self._states, found.maps, strict=True)):
            for row, (text, length) in enumerate(
                zip(found.texts.tolist(), found.lengths.tolist(), strict=True)
            ):
                for head in self._wanted.get((number, text, found.layer), ()):
                    one = maps[row, head, :length, :length]
                    self.maps[state, text, found.layer, head] = one.cpu().numpy().copy()


def write_sheet(
    folder: Path,
    maps: dict[tuple[str, int, int, int], Map],
    sources: Sequence[str],
    *,
    encoder: str,
    task: str,
) -> None:
    """Write ``sheet.html`` and ``labels.csv``, maps in the order of their keys.

    Parameters
    ----------
    maps : dict
        As in `SheetMaps`.
    sources : sequence of str
        Of the texts; a label names its text by its source.
    """
    rows, figures = [], []
    for number, key in enumerate(sorted(maps), start=1):
        state, text, layer, head = key
        rows.append((number, encoder, task, state, sources[text], layer, head, ""))
        caption = f"{task}, {state}, text {sources[text]}, layer {layer}, head {head}"
        image = f"data:image/png;base64,{b64encode(map_png(maps[key])).decode()}"
        figures.append({"number": number, "caption": caption, "image": image})
    loader = PackageLoader("tuneprobe.studies.attention.patterns", ".")
    template = Environment(loader=loader, autoescape=True).get_template("sheet.html.jinja")
    with atomic_folder(folder, sums=False) as part:
        (part / SHEET).write_text(template.render(maps=figures) + "\n", encoding="utf-8")
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(part / LABELS, index=False)


def map_png(weights: Map) -> bytes:
    """A map as a greyscale PNG, one pixel a weight: white 0, black the largest; square roots."""
    share = weights / max(float(weights.max()), float(np.finfo(np.float32).tiny))
    pixels = (255 - 255 * np.sqrt(np.clip(share, 0, 1))).round().astype(np.uint8)
    height, width = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, data) for kind, data in chunks)


def read_labels(path: Path) -> pd.DataFrame:
    """The labelled maps of a sheet's ``labels.csv``; rows with an empty label are left out.

    Returns
    -------
    DataFrame
        The columns of the file, and ``pattern``, the row number of the label in `PATTERNS`.

    Raises
    ------
    PatternError
        If the file is missing, lacks a column, has a label or number that cannot be read, names a
        map twice, or has no label at all. Names the line.
    """
    if not path.exists():
        raise PatternError(f"{path} is missing: fill in the {LABELS} of a contact sheet.")
    table = _read_sheet(path)
    if missing := [column for column in COLUMNS if column not in table.columns]:
        raise PatternError(f"{path} lacks the columns {missing}; expected {', '.join(COLUMNS)}.")
    table["label"] = table.label.str.strip().str.lower()
    for column in NUMBERS:
        _refuse(path, table, ~table[column].str.fullmatch(r"\d{1,9}"), column, "a whole number")
    _refuse(path, table, ~table.label.isin(["", *PATTERNS]), "label", " | ".join(PATTERNS))
    keys = ["encoder", "task", "state", "text", "layer", "head"]
    _refuse(path, table, table.duplicated(keys), "map", "each map once")
    labelled = table[table.label != ""].astype(dict.fromkeys(NUMBERS, "int64"))
    if labelled.empty:
        raise PatternError(f"{path} has no label; write one of {', '.join(PATTERNS)} beside a map.")
    labelled["pattern"] = [PATTERNS.index(label) for label in labelled.label]
    return labelled.reset_index(drop=True)


def _read_sheet(path: Path) -> pd.DataFrame:
    """The file as texts, indexed by line, without those that are blank."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise PatternError(
            f"{path} is no table of UTF-8 text with commas ({str(error).strip()}): save it as CSV, "
            f"with the columns {', '.join(COLUMNS)}."
        ) from None
    table = table.fillna("").set_index(np.arange(len(table)) + 2)  # line 1 has the names
    return table[(table != "").any(axis=1)]


def _refuse(
    path: Path, table: pd.DataFrame, bad: "pd.Series[bool]", column: str, wanted: str
) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad.to_numpy())[0])
        line, found = table.index[row], table[column].iloc[row]
        raise PatternError(f"{path}, line {line}: {column} '{found}', expected {wanted}.")


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
