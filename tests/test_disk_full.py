"""A disk that is full: a real one, of 1 MiB, that is gone with the process that fills it."""

import json
import os
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from tuneprobe.formats.examples import ExamplesBuilder, write_examples

HERE = Path(__file__).parent
ALONE = ("unshare", "--map-root-user", "--mount", "bash", "-c")
MOUNTED = 'mount -t tmpfs -o size=1m none "$0" && "$@"; code=$?; find "$0" > left; exit $code'


def on_small_disk(disk: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder that holds `disk`, where it alone sees 1 MiB.

    The paths that it leaves on the disk are written to the file ``left`` beside it.
    """
    disk.mkdir(exist_ok=True)
    settings = {"PYTHONPATH": str(HERE.parent / "src"), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [*ALONE, MOUNTED, str(disk), *words],
        cwd=disk.parent,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module", autouse=True)
def _own_mounts(tmp_path_factory: pytest.TempPathFactory) -> None:
    may = shutil.which("unshare") and on_small_disk(tmp_path_factory.mktemp("disk"), "true")
    if not may or may.returncode:
        pytest.skip("here no test may mount a small disk for itself (unshare --mount)")


def test_whatever_library_writes_a_full_disk_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    done = on_small_disk(disk, sys.executable, str(HERE / "fills_a_disk.py"), str(disk))
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout)
    files, curve = ends.pop("files"), ends.pop("curve")
    assert files["said"].startswith(f"no room for {disk}/metrics/files: its disk had 1.0 MB free")
    assert files["left"] == {"summary.json": "old"}
    assert curve["said"].startswith(f"no room for the training curve {disk}/curve: its disk had 0 ")
    assert curve["left"] == []
    assert len(ends) == 9
    for writer, end in ends.items():
        assert end["said"].startswith(f"no room for {disk}/out: its disk had 1.0 MB free"), writer
        assert "No space left on device" in end["said"], writer
        assert end["left"] == [], writer


def test_a_stage_without_room_ends_in_one_line_and_leaves_nothing(
    root: Path, tmp_path: Path
) -> None:
    shutil.copy(root / "params.yaml", tmp_path)
    builder = ExamplesBuilder()
    text = builder.add_text("q", ["which", "harbour"], ["old", "quay"] * 20)
    for start, stop in combinations(range(40), 2):
        builder.add_span(text, 1, start, stop, "word")
    write_examples(builder.build(), tmp_path / "examples" / "t")
    options = ["--encoder", "minilm-l6", "--task", "t"]
    stage = [sys.executable, str(root / "stages" / "represent.py"), *options]
    done = on_small_disk(tmp_path / "representations", *stage)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (
        "no room for representations/minilm-l6/t/random/draw-13: its disk had 1.0 MB free" in said
    )
    assert said.endswith("Make room, and run the same command again.")
    left = (tmp_path / "left").read_text().split()
    assert [Path(path).name for path in left] == ["representations", "minilm-l6", "t", "random"]
