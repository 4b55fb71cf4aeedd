"""``tuneprobe directprobe``: files in, files out, the clusters of the library."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tuneprobe.cli import app
from tuneprobe.errors import TuneprobeError
from tuneprobe.rng import rng
from tuneprobe.studies.geometry.directprobe.clusters import cluster
from tuneprobe.studies.geometry.directprobe.command import spaces

NAMES = np.array(["Goal", "Locus", "Time"])
FILES = ["clusters.txt", "inside_max.txt", "inside_mean.txt", "log.txt", "outside_min.txt"]


def write_space(folder: Path, case: int) -> tuple[np.ndarray, np.ndarray]:
    """A space of three labels in DirectProbe's layout; labels part as the case grows."""
    r = rng(case, "directprobe command")
    y = np.r_[np.arange(3), r.integers(0, 3, 21)]
    X = r.normal(size=(24, 2 + case % 3)) + case / 6 * np.eye(3, 4)[y][:, : 2 + case % 3]
    folder.mkdir(parents=True)
    lines = {
        "entities": [f"word {i}\t{NAMES[label]}" for i, label in enumerate(y)],
        "labels": NAMES.tolist(),
        "embeddings": [" ".join(map(repr, row.tolist())) for row in X],
    }
    for name, rows in lines.items():
        (folder / f"{name}.txt").write_text("\n".join(rows) + "\n")
    return X, NAMES[y]


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["directprobe", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def input_options(folder: Path) -> list[object]:
    names = ("entities", "labels", "embeddings")
    return [word for name in names for word in (f"--{name}", folder / f"{name}.txt")]


@pytest.mark.parametrize("loop", ["exhaustive", "paper"])
def test_a_batch_of_27_spaces_has_the_clusters_of_the_library(tmp_path: Path, loop: str) -> None:
    data = {f"space_{case}": write_space(tmp_path / f"space_{case}", case) for case in range(27)}
    printed = run(*(tmp_path / name for name in data), "--loop", loop, "--out", tmp_path / "out")
    assert len(printed.splitlines()) == 27
    for name, (X, y) in data.items():
        folder = tmp_path / "out" / name
        found = cluster(X, y, loop=loop)
        assert [int(line) for line in (folder / "clusters.txt").open()] == found.ids.tolist(), name
        assert sorted(path.name for path in folder.iterdir()) == [*FILES, "vec.txt"]
        kind = "linear" if found.is_linear else "non-linear"
        assert f"This space is {kind}!" in (folder / "log.txt").read_text()


def test_one_space_goes_to_the_folder_itself_and_layers_to_folders_of_their_names(
    tmp_path: Path,
) -> None:
    write_space(tmp_path / "one", 20)
    options = input_options(tmp_path / "one")
    run(*options, "--out", tmp_path / "out")
    assert len((tmp_path / "out" / "vec.txt").read_text().splitlines()) == 3
    second = tmp_path / "layer_12.txt"
    second.write_text((tmp_path / "one" / "embeddings.txt").read_text())
    run(*options, "--embeddings", second, "--out", tmp_path / "layers")
    assert sorted(path.name for path in (tmp_path / "layers").iterdir()) == [
        *("embeddings", "layer_12")
    ]


def test_above_max_clusters_six_files_are_written_and_the_reason_is_printed(tmp_path: Path) -> None:
    write_space(tmp_path / "one", 0)
    printed = run(tmp_path / "one", "--max-clusters", 1, "--out", tmp_path / "out")
    assert "No distances:" in printed
    folder = tmp_path / "out" / "one"
    assert sorted(path.name for path in folder.iterdir()) == [*FILES, "vec.txt"]
    assert "max_clusters = 1" in (folder / "log.txt").read_text()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([], None, None, []), "0 folders and 0 embeddings files"),
        (([Path("a")], None, None, [Path("b")]), "1 folders and 1 embeddings files"),
        (([], Path("a"), None, [Path("b")]), "give all three"),
        (([Path("a/x"), Path("b/x")], None, None, []), "two spaces would write to out/x"),
    ],
)
def test_inputs_that_leave_open_what_to_probe_are_refused(given: tuple, message: str) -> None:
    with pytest.raises(TuneprobeError, match=message):
        spaces(*given, Path("out"))
