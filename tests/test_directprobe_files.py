"""DirectProbe's files: an example of each, whole, and one sentence for each way to be malformed."""

import numpy as np
import pytest

from tuneprobe.studies.geometry.directprobe.clusters import cluster
from tuneprobe.studies.geometry.directprobe.directprobe_files import (
    DirectProbeFileError,
    read_directprobe,
    write_directprobe,
)
from tuneprobe.studies.geometry.directprobe.distances import measure

ENTITIES = "in\tTime\non a roof\tPlace\nat\tTime\nby\tPlace\n"
LABELS = "Time\nPlace\nManner\n"
EMBEDDINGS = "0 0\n3 0.0\n0 1\n 3e0 1 \n"


@pytest.fixture
def files(tmp_path):
    """Write the three input files, any of them replaced; return their paths."""

    def write(**replaced):
        texts = {"entities": ENTITIES, "labels": LABELS, "embeddings": EMBEDDINGS} | replaced
        paths = [tmp_path / f"{name}.txt" for name in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text)
        return paths

    return write


def test_the_three_input_files_are_read_as_directprobe_reads_them(files):
    found = read_directprobe(*files())
    assert found.labels == ("Manner", "Place", "Time")
    assert found.entities == ("in", "on a roof", "at", "by")
    assert found.y.tolist() == [2, 1, 2, 1]
    assert found.X.dtype == np.float32
    assert found.X.tolist() == [[0, 0], [3, 0], [0, 1], [3, 1]]


def test_the_six_output_files_have_the_original_formats(files, tmp_path):
    data = read_directprobe(*files())
    clustering = cluster(data.X, data.y)
    folder = tmp_path / "results"
    write_directprobe(folder, clustering, measure(data.X, clustering), data.labels)
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    log = texts.pop("log.txt").splitlines()
    assert texts == {
        "clusters.txt": "0\n1\n0\n1\n",
        "vec.txt": "Manner---Place,0.0000\nManner---Time,0.0000\nPlace---Time,3.0000\n",
        "outside_min.txt": "Manner,0.0000\nPlace,3.0000\nTime,3.0000\n",
        "inside_max.txt": "Manner,0.0000\nPlace,1.0000\nTime,1.0000\n",
        "inside_mean.txt": "Manner,0.0000\nPlace,1.0000\nTime,1.0000\n",
    }
    assert log[:2] == [
        "directprobe-INFO: This space is linear!",
        "directprobe-INFO: Final number of clusters: 2",
    ]
    numbers = [float(line.split("=")[1]) for line in log[2:]]
    assert np.allclose(numbers, [3, 1, 1, 1 / 3, 1 / 3])


def test_a_space_of_lone_points_has_no_inside_but_writes_its_files(tmp_path):
    X = [[0], [3], [1], [7]]
    clustering = cluster(X, [0, 0, 1, 1])
    write_directprobe(tmp_path / "lone", clustering, measure(X, clustering), ["A", "B"])
    assert (tmp_path / "lone" / "inside_max.txt").read_text() == "A,0.0000\nB,0.0000\n"
    assert (tmp_path / "lone" / "vec.txt").read_text() == "A---B,3.5000\n"
    assert "non-linear" in (tmp_path / "lone" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"entities": "in Time\n"}, r"entities.txt:1: expected 'entity<TAB>label', got 1 field"),
        (
            {"entities": "in\tTime\non\tWhere\n"},
            r"entities.txt:2: label 'Where' is not in ",
        ),
        ({"embeddings": "0 0\n1 x\n"}, r"embeddings.txt:2: expected numbers"),
        ({"embeddings": "0 0\n1 1 1\n"}, r"embeddings.txt:2: expected 2 numbers as in line 1"),
        ({"embeddings": "0 0\n\n"}, r"embeddings.txt:2: .*got 0"),
        ({"embeddings": "0 0\n"}, r"1 vectors but .*entities.txt has 4 entities"),
        ({"embeddings": ""}, "is empty"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(files, replaced, message):
    with pytest.raises(DirectProbeFileError, match=message):
        read_directprobe(*files(**replaced))


def test_a_missing_file_is_named(files, tmp_path):
    entities, labels, _ = files()
    with pytest.raises(DirectProbeFileError, match=r"none.txt does not exist"):
        read_directprobe(entities, labels, tmp_path / "none.txt")
