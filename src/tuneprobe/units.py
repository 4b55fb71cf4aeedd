"""Units of a long study: layers of states, measured side by side, kept until the study is whole.

The tables of a unit are kept (`tuneprobe.kept`) under the digest of all that they depend on: the
layer, the examples, the settings, the code. A study that was killed goes on with the units that are
left, and ends in the same bytes, however many processes or machines share the work. Each unit has
one thread.
The caller alone writes the cache: a worker reads its layer and gives back tables.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tuneprobe.artifacts import readable
from tuneprobe.backends import different_here, outcomes, unreadable_here
from tuneprobe.digests import COMPUTED_WITH, code_sha256, file_sha256, package_versions
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.formats.representations import Representations, layer_file
from tuneprobe.formats.results import STAMPED, Result, stamp
from tuneprobe.kept import Kept
from tuneprobe.spaces import Space, read_space

Tables = dict[str, pd.DataFrame]

NUMBERS = "numbers"  # the table of a unit that becomes result rows
WHICH_LAYERS = ("all", "last", "none")


class UnitError(TuneprobeError):
    """A mistake in one unit; the message says in which."""


@dataclass(frozen=True)
class Unit:
    """One layer of one state, and the keyword arguments it is measured with."""

    state: str
    layer: int
    representations: Representations
    settings: Mapping[str, Any]

    def at_full_path(self) -> "Unit":
        """The same unit for a process in another folder."""
        folder = self.representations.folder.absolute()
        return replace(self, representations=replace(self.representations, folder=folder))

    def digest(self, measure: Callable[..., Tables], table: pd.DataFrame) -> str:
        """SHA-256 of everything that the unit's tables depend on."""
        facts = {
            "measure": f"{measure.__module__}.{measure.__qualname__}",
            "layer": file_sha256(self.representations.folder / layer_file(self.layer)),
            "examples": table.to_json(orient="values"),
            "settings": dict(self.settings),
            "code": code_sha256(),
            "packages": package_versions(),
        }
        return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def layer_units(
    states: Mapping[str, Representations], settings: Callable[[int, int], Mapping[str, Any]]
) -> list[Unit]:
    """A unit for every layer of every state; ``settings(layer, last)`` are its arguments."""
    return [
        Unit(state, layer, representations, settings(layer, representations.layers[-1]))
        for state, representations in states.items()
        for layer in representations.layers
    ]


def chosen(which: str, layer: int, last: int) -> bool:
    """Whether `layer` is among ``all`` layers, the ``last`` one, or ``none``."""
    if which not in WHICH_LAYERS:
        raise UnknownNameError("choice of layers", which, WHICH_LAYERS)
    return which == "all" or (which == "last" and layer == last)


@contextmanager
def measured(
    measure: Callable[..., Tables],
    units: Sequence[Unit],
    table: pd.DataFrame,
    *,
    cache: Path,
    workers: int,
    backend: str = "local",
) -> Iterator[Tables]:
    """Tables of all units, each with the columns ``state`` and ``layer`` in front.

    Equal units are measured once. The cache is removed when the block ends well: by then the
    results should be in place.

    Parameters
    ----------
    measure : callable
        ``measure(space, **settings)`` gives the tables of one unit; a module-level function.
    table : DataFrame
        Examples, as `spaces.example_table` makes them.
    cache : Path
    workers : int
        Processes of this machine; no number depends on it.
    backend : str
        Where units are measured, as `backends.outcomes` has it; no number depends on it.

    Raises
    ------
    UnitError
        Where `measure` raises a `TuneprobeError`; the message names state and layer.
    ClusterError
        Where the cluster cannot do the work, or has other files or code than this machine.
    """
    kept = Kept(cache)
    digests = [unit.digest(measure, table) for unit in units]
    left = {digest: unit for digest, unit in zip(digests, units, strict=True) if digest not in kept}
    calls = [(measure, unit.at_full_path(), table, digest) for digest, unit in left.items()]
    function = _measure if backend == "local" else _measure_away
    done = outcomes(function, calls, backend=backend, processes=workers)
    for digest, tables in tqdm(done, "measure", len(calls), unit="unit", disable=None):
        with kept.writing(digest) as folder:
            for name, found in tables.items():
                found.to_parquet(folder / f"{name}.parquet", index=False)
    yield _gather(units, [kept.at(digest) for digest in digests])
    kept.remove()


def number_table(numbers: Iterable[Result]) -> pd.DataFrame:
    """The table of a unit's numbers; state and layer come with the unit, the rest by `stamp`."""
    table = pd.DataFrame(list(numbers), columns=list(Result._fields))
    return table.drop(columns=["state", "layer", *STAMPED])


def result_rows(
    numbers: pd.DataFrame, *, study: str, encoder: str, task: str, seed: int, level: float = nan
) -> list[Result]:
    """Result rows of the table of numbers that `measured` gives."""
    rows = (
        Result(**{str(name): value for name, value in record.items()})
        for record in numbers.to_dict("records")
    )
    return stamp(rows, study=study, encoder=encoder, task=task, seed=seed, level=level)


def _measure(
    measure: Callable[..., Tables], unit: Unit, table: pd.DataFrame, digest: str
) -> tuple[str, Tables]:
    """The digest and the tables of a unit."""
    try:
        with threadpool_limits(1):
            space: Space = read_space(unit.representations, unit.layer, table)
            return digest, measure(space, **unit.settings)
    except TuneprobeError as error:
        raise UnitError(f"state {unit.state}, layer {unit.layer}: {error}") from None


def _measure_away(
    measure: Callable[..., Tables], unit: Unit, table: pd.DataFrame, digest: str
) -> tuple[str, Tables]:
    """`_measure` on another machine, once that has the same files and code."""
    threadpool_limits(1)  # for good: threads of one worker must not give each other more
    try:
        digest_here = unit.digest(measure, table)
    except OSError as error:
        raise unreadable_here(error.filename) from None
    if digest_here != digest:
        raise different_here(
            f"{layer_file(unit.layer)} in {unit.representations.folder}, another tuneprobe, or "
            f"other versions of {', '.join(COMPUTED_WITH)}"
        )
    return _measure(measure, unit, table, digest)


def _gather(units: Sequence[Unit], folders: Sequence[Path]) -> Tables:
    """The tables of all units, one below the other; always as read from the cache."""
    parts: dict[str, list[pd.DataFrame]] = {}
    for unit, folder in zip(units, folders, strict=True):
        for path in sorted(folder.glob("*.parquet")):
            with readable(path):
                found = pd.read_parquet(path)
            found.insert(0, "layer", unit.layer)
            found.insert(0, "state", unit.state)
            parts.setdefault(path.stem, []).append(found)
    return {name: pd.concat(found, ignore_index=True) for name, found in parts.items()}
