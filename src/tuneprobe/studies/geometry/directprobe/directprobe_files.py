"""The text files of DirectProbe: read its input, write its output.

Input, three files with one line an example (entities, embeddings) or a label (labels)::

    entities    in the house<TAB>Locus
    labels      Locus
    embeddings  0.1204 -1.3302 0.5541

Output, as the code of Zhou & Srikumar (ACL 2022) leaves it in its results folder::

    clusters.txt     0                      cluster of each example
    vec.txt          Goal---Locus,1.2345    distance of two labels, pairs in sorted order
    outside_min.txt  Goal,1.2345            smallest distance to another label
    inside_max.txt   Goal,3.4567            largest distance within a cluster of the label
    inside_mean.txt  Goal,2.3456            mean distance within a cluster, mean of its clusters
    log.txt          the results in sentences (without the original's time stamps)

Labels are sorted; what does not exist (a label without examples or with single points) is 0. Where
distances were not measured, all six files are there too: log.txt gives the reason, and the four
files of distances are empty.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tuneprobe.artifacts import atomic_folder
from tuneprobe.errors import TuneprobeError
from tuneprobe.studies.geometry.directprobe.clusters import Clustering, Labels
from tuneprobe.studies.geometry.directprobe.distances import Distances
from tuneprobe.studies.geometry.directprobe.linkage import Floats

Array = NDArray[np.float64]

LEVEL = "directprobe-INFO: "
PER_LABEL = ("outside_min", "inside_max", "inside_mean")


class DirectProbeFileError(TuneprobeError):
    """An input file that DirectProbe could not have read, or only by luck."""


@dataclass(frozen=True)
class DirectProbeInput:
    """A labelled space.

    Attributes
    ----------
    X : float32 array of shape (n, dim)
    y : int array of shape (n,)
        Place in `labels`.
    labels : tuple of str
        Sorted; a label may have no example.
    entities : tuple of str
    """

    X: Floats
    y: Labels
    labels: tuple[str, ...]
    entities: tuple[str, ...]


def read_directprobe(entities: Path, labels: Path, embeddings: Path) -> DirectProbeInput:
    """Read DirectProbe's three input files.

    Raises
    ------
    DirectProbeFileError
        With file and line: an entity line that is not ``entity<TAB>label``, a label that the
        labels file lacks, a vector of another length or with something that is no number, more or
        fewer vectors than entities.
    """
    names = tuple(sorted({line for _, line in _lines(labels)} - {""}))
    place = {name: number for number, name in enumerate(names)}
    words, y = [], []
    for number, line in _lines(entities):
        fields = line.split("\t")
        if len(fields) != 2:
            raise DirectProbeFileError(
                f"{entities}:{number}: expected 'entity<TAB>label', got {len(fields)} field(s)."
            )
        if fields[1] not in place:
            raise DirectProbeFileError(
                f"{entities}:{number}: label '{fields[1]}' is not in {labels}."
            )
        words.append(fields[0])
        y.append(place[fields[1]])
    X = _read_vectors(embeddings)
    if len(X) != len(y):
        raise DirectProbeFileError(
            f"{embeddings} has {len(X)} vectors but {entities} has {len(y)} entities: "
            "expected a vector for each entity."
        )
    return DirectProbeInput(X, np.array(y, dtype=np.int64), names, tuple(words))


def write_directprobe(
    folder: Path,
    clustering: Clustering,
    distances: Distances | None,
    labels: Sequence[str],
    *,
    reason: str = "",
) -> None:
    """Write DirectProbe's six output files, in one step.

    Parameters
    ----------
    distances : Distances, optional
        Without them vec.txt, outside_min.txt, inside_max.txt and inside_mean.txt are empty.
    labels : sequence of str
        Name of label number i, sorted, as `read_directprobe` gives them.
    reason : str
        Why there are no distances: a sentence for log.txt.
    """
    texts: dict[str, Iterable[str]] = {
        "clusters": map(str, clustering.ids),
        "log": _log(clustering),
    }
    if distances is None:
        texts |= {name: iter(()) for name in ("vec", *PER_LABEL)}
        texts["log"] = chain(texts["log"], [LEVEL + reason])
    else:
        per_label = {
            name: _spread(getattr(distances, name), distances.labels, len(labels))
            for name in PER_LABEL
        }
        texts["vec"] = _label_pairs(distances, labels)
        for name, values in per_label.items():
            texts[name] = _per_label(labels, values)
        texts["log"] = chain(texts["log"], _log_distances(**per_label))
    with atomic_folder(folder, sums=False) as part:
        for name, lines in texts.items():
            _write(part / f"{name}.txt", lines)


def _label_pairs(distances: Distances, labels: Sequence[str]) -> Iterator[str]:
    between = np.zeros((len(labels), len(labels)))
    between[np.ix_(distances.labels, distances.labels)] = distances.label_distances
    for i, j in combinations(range(len(labels)), 2):
        yield f"{labels[i]}---{labels[j]},{np.nan_to_num(between[i, j]):.4f}"


def _per_label(labels: Sequence[str], values: Array) -> Iterator[str]:
    for label, value in zip(labels, values, strict=True):
        yield f"{label},{value:.4f}"


def _log(clustering: Clustering) -> Iterator[str]:
    """The sentences of the original that state a result of the clustering."""
    yield LEVEL + f"This space is {'linear' if clustering.is_linear else 'non-linear'}!"
    yield LEVEL + f"Final number of clusters: {len(clustering.labels)}"


def _log_distances(outside_min: Array, inside_max: Array, inside_mean: Array) -> Iterator[str]:
    """The sentences of the original that state a distance."""
    yield LEVEL + f"global min dis={_of_known(np.min, outside_min)}"
    yield LEVEL + f"mean_inside_mean_dis={_of_known(np.mean, inside_mean)}"
    yield LEVEL + f"max inside max dis={_of_known(np.max, inside_max)}"
    for name, inside in (("max", inside_max), ("mean", inside_mean)):
        both = (inside != 0) & (outside_min != 0)
        ratio = _of_known(np.mean, inside[both] / outside_min[both])
        yield LEVEL + f"Inside {name} / outside min = {ratio}"


def _of_known(statistic: Callable[[Array], float], values: Array) -> float:
    known = values[values > 0]
    return float(statistic(known)) if len(known) else float("nan")


def _spread(values: Array, places: Labels, n_labels: int) -> Array:
    """Values at their labels' places, 0 elsewhere."""
    everything = np.zeros(n_labels)
    everything[places] = np.nan_to_num(values)
    return everything


def _read_vectors(path: Path) -> Floats:
    rows: list[Floats] = []
    for number, line in _lines(path):
        try:
            row = np.array(line.split(), dtype=np.float32)
        except ValueError as error:
            raise DirectProbeFileError(f"{path}:{number}: expected numbers: {error}.") from error
        if not len(row) or (rows and len(row) != len(rows[0])):
            wanted = f"{len(rows[0])} numbers as in line 1" if rows else "numbers"
            raise DirectProbeFileError(f"{path}:{number}: expected {wanted}, got {len(row)}.")
        rows.append(row)
    if not rows:
        raise DirectProbeFileError(f"{path} is empty: expected a vector a line.")
    return np.stack(rows)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    if not path.exists():
        raise DirectProbeFileError(f"{path} does not exist.")
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield number, line.strip()
    except UnicodeDecodeError as error:
        raise DirectProbeFileError(f"{path} is no UTF-8 text ({error}).") from None


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
