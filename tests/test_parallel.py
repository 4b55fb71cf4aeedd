"""Several processes: the numbers of one, the same bytes every time, one writer, refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import finished
from safetensors.numpy import load_file
from shared_by_processes import LABELLED, compute, no_dropout_in_heads
from stored import contents
from tiny_reader import write_tiny_bert

from tuneprobe.artifacts import read_meta
from tuneprobe.encoders.parallel import mean_loss, share

HERE = Path(__file__).parent
TUNED = ["qa", "frozen", *LABELLED]
LOSS, WEIGHT = 1e-5, 1e-5  # relative and absolute tolerance
# A number that is added to all logits of a softmax changes nothing: the gradient of these biases is
# rounding alone, from which AdamW makes steps of full length.
FREE = ("span.bias", "attention.self.key.bias")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def by_one_and_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders that one process, and two, have filled."""
    folder = tmp_path_factory.mktemp("parallel")
    still, lively = (write_tiny_bert(folder / name) for name in ("still", "lively"))
    config = json.loads((still / "config.json").read_text())
    (still / "config.json").write_text(json.dumps(config | {"hidden_dropout_prob": 0.0}))
    one, two = folder / "one", folder / "two"
    for made in (one, two):
        made.mkdir()
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = [str(HERE / "shared_by_processes.py"), str(still), str(lively), str(two)]
    run = finished([*launch, *script], folder)
    assert run.returncode == 0, run.stderr
    with no_dropout_in_heads():
        compute(still, lively, one)
    return one, two


@pytest.mark.parametrize("task", TUNED)
def test_two_processes_take_the_steps_of_one(by_one_and_two: tuple[Path, Path], task: str) -> None:
    one, two = (json.loads((folder / "losses.json").read_text()) for folder in by_one_and_two)
    assert len(one[task]) > 5
    np.testing.assert_allclose(two[task], one[task], rtol=LOSS)


@pytest.mark.parametrize("task", TUNED)
def test_two_processes_end_at_the_weights_of_one(by_one_and_two, task: str) -> None:
    one, two = (folder / task / "checkpoint" for folder in by_one_and_two)
    stored = sorted(path.name for path in one.glob("*.safetensors"))
    assert sorted(path.name for path in two.glob("*.safetensors")) == stored
    for file in stored:
        expected, found = (load_file(folder / file) for folder in (one, two))
        for name in (name for name in expected if not name.endswith(FREE)):
            np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=WEIGHT)


def test_two_processes_write_the_representations_of_one(by_one_and_two) -> None:
    one, two = (contents(folder / "rep") for folder in by_one_and_two)
    assert len(one) == 6  # layers, types.npy, meta.json, SHA256SUMS
    assert two == one


def test_snapshots_are_taken_at_the_same_steps(by_one_and_two) -> None:
    one, two = (folder / "snapshots" for folder in by_one_and_two)
    assert contents(two / "step_00000") == contents(one / "step_00000")
    assert read_meta(two) == read_meta(one)
    for step in read_meta(one)["steps"]:
        last = [np.load(folder / f"step_{step:05d}" / "layer_02.npy") for folder in (one, two)]
        np.testing.assert_allclose(*last, atol=1e-4)


def test_an_interrupted_training_of_two_goes_on_to_the_same_bytes(by_one_and_two) -> None:
    undisturbed, interrupted = (
        contents(by_one_and_two[1] / name) for name in ("undisturbed", "interrupted")
    )
    assert undisturbed
    assert interrupted == undisturbed


def test_a_checkpoint_tells_how_many_processes_made_it(by_one_and_two) -> None:
    one, two = (read_meta(folder / "qa" / "checkpoint") for folder in by_one_and_two)
    assert two["processes"] == 2
    assert "processes" not in one


def test_a_process_alone_keeps_its_loss_and_all_rows() -> None:
    rows, loss = np.array([4, 2, 7]), torch.tensor(0.3)
    own, n = share(rows)
    assert own.tolist() == rows.tolist()
    assert n == 3
    assert all(same is loss for same in mean_loss(loss, n))


def test_processes_that_differ_are_refused_by_all(by_one_and_two) -> None:
    for number in range(2):
        message = (by_one_and_two[1] / f"refused-{number}").read_text()
        assert message.startswith("the training is ")
        assert "same code, parameters, data" in message
