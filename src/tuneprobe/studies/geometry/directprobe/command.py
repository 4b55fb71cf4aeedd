"""DirectProbe on its own input files: from entities, labels and embeddings to the six output files.

`probe_files` does one space, `spaces` lists those of a batch; ``tuneprobe directprobe`` calls both.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tuneprobe.errors import TuneprobeError
from tuneprobe.studies.geometry.directprobe.clusters import Clustering, cluster
from tuneprobe.studies.geometry.directprobe.directprobe_files import (
    read_directprobe,
    write_directprobe,
)
from tuneprobe.studies.geometry.directprobe.distances import measure
from tuneprobe.studies.geometry.directprobe.study import too_many_clusters


class SpaceFiles(NamedTuple):
    """The three input files of one space and the folder of its output."""

    entities: Path
    labels: Path
    embeddings: Path
    out: Path


def spaces(
    folders: Sequence[Path],
    entities: Path | None,
    labels: Path | None,
    embeddings: Sequence[Path],
    out: Path,
) -> list[SpaceFiles]:
    """The spaces of a batch and where the output of each goes.

    A folder holds ``entities.txt``, ``labels.txt`` and ``embeddings.txt``, unless `entities` or
    `labels` name files that all share; its output goes to ``out/<name of the folder>``. Without
    folders each file of `embeddings` is a space of the same entities: one goes to `out` itself,
    several go to ``out/<name of the file without its ending>``.

    Raises
    ------
    TuneprobeError
        Where neither or both were given, a file is missing, or two outputs have one name.
    """
    if bool(folders) == bool(embeddings):
        raise TuneprobeError(
            f"got {len(folders)} folders and {len(embeddings)} embeddings files: give either "
            "folders, or --entities, --labels and one or more --embeddings."
        )
    if embeddings and not (entities and labels):
        raise TuneprobeError("--embeddings came without --entities and --labels: give all three.")
    found = list(_spaces(folders, entities, labels, embeddings, out))
    names = [space.out for space in found]
    twice = sorted({path for path in names if names.count(path) > 1})
    if twice:
        raise TuneprobeError(
            f"two spaces would write to {twice[0]}: give folders or files of different names."
        )
    return found


def _spaces(
    folders: Sequence[Path],
    entities: Path | None,
    labels: Path | None,
    embeddings: Sequence[Path],
    out: Path,
) -> Iterator[SpaceFiles]:
    for folder in folders:
        yield SpaceFiles(
            entities or folder / "entities.txt",
            labels or folder / "labels.txt",
            folder / "embeddings.txt",
            out / folder.resolve().name,
        )
    if entities and labels:
        for path in embeddings:
            target = out if len(embeddings) == 1 else out / path.stem
            yield SpaceFiles(entities, labels, path, target)


def probe_files(
    files: SpaceFiles,
    *,
    loop: str = "exhaustive",
    min_cluster_size: int = 1,
    max_clusters: int = 1000,
    rtol: float = 1e-6,
) -> tuple[Clustering, str]:
    """Cluster one space, measure its distances and write DirectProbe's six files.

    Parameters
    ----------
    files : SpaceFiles
    loop, min_cluster_size, rtol
        As in `clusters.cluster` and `distances.measure`.
    max_clusters : int
        As in `study.too_many_clusters`.

    Returns
    -------
    clustering : Clustering
    reason : str
        Why no distances were measured; empty where they were.
    """
    data = read_directprobe(files.entities, files.labels, files.embeddings)
    clustering = cluster(data.X, data.y, loop=loop)
    reason = too_many_clusters(clustering, max_clusters)
    measured = None
    if not reason:
        measured = measure(data.X, clustering, min_cluster_size=min_cluster_size, rtol=rtol)
    write_directprobe(files.out, clustering, measured, data.labels, reason=reason)
    return clustering, reason
