"""A bundle holds one run whole, and says which byte of it changed."""

import shutil
import subprocess
from hashlib import md5
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tuneprobe.artifacts import ArtifactError
from tuneprobe.bundle import BundleError, verify_bundle, write_bundle
from tuneprobe.cli import app

FILES = {
    "params.yaml": "seed: 13\n",
    "dvc.yaml": "stages: {}\n",
    "data.dvc": "outs: []\n",
    "report/index.html": "<p>61.2</p>",
    "report/figures/layers.svg": "<svg/>",
    "metrics/summary.json": '{"f1": 61.2}',
    "metrics/plots/layers.csv": "layer,value\n0,50\n",
    "examples/mine/meta.json": '{"seed": 13}',
    "examples/mine/texts.parquet": "large",
    "examples/of-another-run/meta.json": "{}",
}
OUTPUTS = ("report/index.html", "metrics/summary.json", "examples/mine")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What a run leaves."""
    folder = tmp_path / "repository"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    outs = [
        {"path": name, "md5": md5(FILES.get(name, "").encode()).hexdigest()} for name in OUTPUTS
    ]
    (folder / "dvc.lock").write_text(yaml.safe_dump({"stages": {"all": {"outs": outs}}}))
    return folder


@pytest.fixture
def bundle(repository: Path, tmp_path: Path) -> Path:
    """A bundle of it."""
    folder = tmp_path / "bundle"
    write_bundle(folder, repository)
    return folder


def test_a_bundle_holds_page_numbers_conditions_and_the_provenance_of_this_run(
    bundle: Path,
) -> None:
    files = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()}
    left_out = {"examples/mine/texts.parquet", "examples/of-another-run/meta.json"}
    assert files == FILES.keys() - left_out | {"dvc.lock", "SHA256SUMS"}
    assert verify_bundle(bundle) == len(files) - 1


def test_the_same_run_gives_the_same_bytes(repository: Path, bundle: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "again", repository)
    assert (tmp_path / "again" / "SHA256SUMS").read_text() == (bundle / "SHA256SUMS").read_text()


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="sha256sum is not installed")
def test_sha256sum_verifies_a_bundle_too(bundle: Path) -> None:
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(check, cwd=bundle, capture_output=True).returncode == 0
    (bundle / "params.yaml").write_text("seed: 14\n")
    done = subprocess.run(check, cwd=bundle, capture_output=True, text=True)
    assert "params.yaml: FAILED" in done.stdout


def test_a_changed_byte_is_named(bundle: Path) -> None:
    page = bundle / "report" / "index.html"
    page.write_bytes(page.read_bytes().replace(b"61.2", b"61.3"))
    with pytest.raises(BundleError, match=r"report/index\.html has changed"):
        verify_bundle(bundle)


def test_a_file_that_was_lost_or_added_is_named(bundle: Path) -> None:
    (bundle / "dvc.lock").unlink()
    (bundle / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"dvc\.lock is missing; notes\.txt is not listed"):
        verify_bundle(bundle)


@pytest.mark.parametrize("name", ["report/index.html", "metrics/summary.json"])
def test_a_page_or_numbers_of_another_run_are_refused(
    repository: Path, tmp_path: Path, name: str
) -> None:
    (repository / name).write_text("of yesterday")
    with pytest.raises(BundleError, match=r"not the one of dvc\.lock: run 'dvc repro'"):
        write_bundle(tmp_path / "bundle", repository)
    assert not (tmp_path / "bundle").exists()


def test_a_run_without_a_page_says_what_to_run(repository: Path, tmp_path: Path) -> None:
    (repository / "report" / "index.html").unlink()
    with pytest.raises(ArtifactError, match=r"index\.html is missing: run 'dvc repro'"):
        write_bundle(tmp_path / "bundle", repository)


def test_a_folder_that_exists_is_not_written_over(repository: Path, bundle: Path) -> None:
    with pytest.raises(BundleError, match="exists"):
        write_bundle(bundle, repository)
    verify_bundle(bundle)


def test_the_command_writes_and_verifies(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    run = CliRunner()
    assert "9 files" in run.invoke(app, ["bundle", "run-13"]).stdout
    assert "9 files" in run.invoke(app, ["bundle", "--verify", "run-13"]).stdout
    Path("run-13/params.yaml").write_text("seed: 14\n")
    assert isinstance(run.invoke(app, ["bundle", "--verify", "run-13"]).exception, BundleError)
