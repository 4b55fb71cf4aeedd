"""Shards of a corpus: prepared side by side, kept until the examples are whole.

What is made of a shard, its part, is kept (`tuneprobe.kept`) under the digest of all that it
depends on: the files, the settings, the code. A preparation that was killed goes on with the shards
that are left, and ends in the same bytes, however many processes or machines share the work. What
makes a part streams its shard, so memory grows neither with the corpus nor with the shard.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tuneprobe.backends import different_here, outcomes, unreadable_here
from tuneprobe.corpora.mrc import Shard
from tuneprobe.digests import code_sha256, file_sha256
from tuneprobe.errors import TuneprobeError
from tuneprobe.kept import Kept

Prepare = Callable[..., None]
Facts = Mapping[str, Any]


class ShardError(TuneprobeError):
    """A mistake in one shard; the message says in which."""


@contextmanager
def prepared(
    prepare: Prepare,
    shards: Sequence[Shard],
    *,
    cache: Path,
    workers: int,
    backend: str = "local",
    settings: Mapping[str, Any] = {},
    inputs: Sequence[Path] = (),
) -> Iterator[list[Path]]:
    """Folders with the parts of all shards, in their order.

    The cache is removed when the block ends well: by then the examples should be in place.

    Parameters
    ----------
    prepare : callable
        ``prepare(shard, folder, **settings)`` writes a part into an empty folder; a module-level
        function.
    cache : Path
    workers : int
        Processes of this machine; no byte depends on it.
    backend : str
        Where shards are prepared, as `backends.outcomes` has it; no byte depends on it. The
        machines of a cluster share the folders of shards and cache.
    settings : mapping
        Plain values.
    inputs : sequence of Path
        Files beside the shards that a part depends on.

    Raises
    ------
    ShardError
        Where `prepare` raises a `TuneprobeError`; the message names the shard. The whole parts of
        other shards stay in the cache, nothing half-written does.
    """
    facts = {
        "prepare": f"{prepare.__module__}.{prepare.__qualname__}",
        "settings": dict(settings),
        "inputs": {file.name: file_sha256(file) for file in inputs},
        "code": code_sha256(),
    }
    cache = cache.absolute()
    cache.mkdir(parents=True, exist_ok=True)
    calls = [(number, prepare, shard, facts, cache) for number, shard in enumerate(shards)]
    function = _part if backend == "local" else _part_away
    done = outcomes(function, calls, backend=backend, processes=workers)
    try:
        parts = sorted(tqdm(done, desc="shards", total=len(shards), disable=None))
    finally:  # of the processes that a failure stopped
        for unfinished in cache.glob(".*.part"):
            shutil.rmtree(unfinished, ignore_errors=True)
    yield [folder for _, folder in parts]
    Kept(cache).remove()


def _part(
    number: int, prepare: Prepare, shard: Shard, facts: Facts, cache: Path
) -> tuple[int, Path]:
    """The number of a shard and the folder of its part, which is made unless it is there."""
    files = {file.name: file_sha256(file) for file in shard.files}
    digest = sha256(json.dumps({**facts, "files": files}, sort_keys=True).encode()).hexdigest()
    kept = Kept(cache)
    if digest not in kept:
        try:
            with threadpool_limits(1), kept.writing(digest) as part:
                prepare(shard, part, **facts["settings"])
        except TuneprobeError as error:
            raise ShardError(f"shard {shard.name}: {error}") from None
    return number, kept.at(digest)


def _part_away(
    number: int, prepare: Prepare, shard: Shard, facts: Facts, cache: Path
) -> tuple[int, Path]:
    """`_part` on another machine, if that has the same code and files."""
    if code_sha256() != facts["code"]:
        raise different_here("tuneprobe")
    if missing := [file for file in (*shard.files, cache) if not file.exists()]:
        raise unreadable_here(missing[0])
    return _part(number, prepare, shard, facts, cache)
