"""Fine-tuning: learning, determinism, resuming, refusals."""

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import finished
from stored import contents
from tiny_reader import DIM, simple_questions
from tuned_in_process import SETTINGS, STEP_KILLED, tune

from tuneprobe.encoders.encoder import load_encoder
from tuneprobe.errors import UnknownNameError
from tuneprobe.scores.evaluate import read_answers, squad_scores
from tuneprobe.tuning.checkpoints import read_head
from tuneprobe.tuning.finetune import TrainingError
from tuneprobe.tuning.heads import make_head
from tuneprobe.tuning.training import Training, adamw, epoch_batches, random_stream, schedule

HERE = Path(__file__).parent

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    tune(source, folder)
    return folder


def test_a_reader_learns_what_it_is_shown(tmp_path: Path, source: Path) -> None:
    losses = tune(source, tmp_path, epochs=20, learning_rate=1e-2, null_keep=0.0)
    assert np.mean(losses[-6:]) < np.mean(losses[:6]) / 3
    folder = tmp_path / "checkpoint"
    encoder = load_encoder("tiny", path=str(source), state="finetuned", checkpoint=folder)
    asked = simple_questions(24, split="test")
    (readings,) = read_answers(
        encoder, [read_head(folder, encoder)], asked,
        window=24, stride=8, max_question=6, top_k=10, max_answer=30,
    )  # fmt: skip
    (exact, _) = squad_scores(asked, readings, seed=1, confidence=0.95, bootstrap=50)
    assert exact.value > 80


def test_the_same_training_gives_the_same_bytes(
    tmp_path: Path, source: Path, undisturbed: Path
) -> None:
    tune(source, tmp_path)
    assert contents(tmp_path) == contents(undisturbed)


def test_a_killed_training_goes_on_to_the_same_bytes(
    tmp_path: Path, source: Path, undisturbed: Path
) -> None:
    killed = finished([str(HERE / "tuned_in_process.py"), str(source), str(tmp_path)], tmp_path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "checkpoint").exists()
    assert contents(tmp_path / "resume")
    steps = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "tuneprobe.tuning.finetune.schedule",
            lambda *step: (steps.append(step[0]), schedule(*step))[1],
        )
        tune(source, tmp_path)
    assert steps[0] == STEP_KILLED // SETTINGS["resume_every"] * SETTINGS["resume_every"]
    assert contents(tmp_path) == contents(undisturbed)


@pytest.mark.parametrize("other", [{"learning_rate": 2e-3}, {}], ids=["settings", "code"])
def test_the_resume_point_of_another_training_is_not_used(
    tmp_path: Path, source: Path, undisturbed: Path, other: dict[str, float]
) -> None:
    def interrupted(step: int, n_steps: int, warmup: float) -> float:
        if step == STEP_KILLED:
            raise KeyboardInterrupt
        return schedule(step, n_steps, warmup)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tuneprobe.tuning.finetune.schedule", interrupted)
        if not other:
            patched.setattr("tuneprobe.tuning.finetune.code_sha256", lambda: "of other code")
        with pytest.raises(KeyboardInterrupt):
            tune(source, tmp_path, **other)
    assert contents(tmp_path / "resume")
    tune(source, tmp_path)
    assert contents(tmp_path) == contents(undisturbed)


def test_nothing_but_checkpoint_and_curve_is_left(undisturbed: Path) -> None:
    assert {path.name for path in undisturbed.iterdir()} == {"checkpoint", "curves"}
    assert set(contents(undisturbed / "curves")) == {"plots/metrics/loss.tsv"}


def test_the_curve_holds_the_mean_loss_of_ten_steps_and_of_those_left(
    tmp_path: Path, source: Path
) -> None:
    losses = tune(source, tmp_path)
    assert len(losses) % 10
    lines = (tmp_path / "curves/plots/metrics/loss.tsv").read_text().splitlines()
    assert lines[0] == "step\tloss"
    points = [line.split("\t") for line in lines[1:]]
    assert [int(step) for step, _ in points] == [*range(10, len(losses), 10), len(losses)]
    assert float(points[1][1]) == pytest.approx(np.mean(losses[10:20]))
    assert float(points[-1][1]) == pytest.approx(np.mean(losses[-(len(losses) % 10) :]))


def test_frozen_trains_the_head_and_leaves_the_encoder(tmp_path: Path, source: Path) -> None:
    losses = tune(source, tmp_path, state="frozen", epochs=10)
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    assert {path.name for path in (tmp_path / "checkpoint").iterdir()} == {
        "head.safetensors",
        "meta.json",
        "SHA256SUMS",
    }
    encoder = load_encoder("tiny", path=str(source))
    trained = read_head(tmp_path / "checkpoint", encoder).state_dict()
    drawn = make_head("qa", DIM, SETTINGS["seed"]).state_dict()
    assert not torch.equal(trained["span.weight"], drawn["span.weight"])


def test_a_loss_that_is_not_finite_is_one_error_and_leaves_nothing(
    tmp_path: Path, source: Path
) -> None:
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) at step \d+ of \d+, at learning"):
        tune(source, tmp_path, learning_rate=1e30, warmup=0.0, resume_every=1)
    assert list(tmp_path.iterdir()) == []


def test_bfloat16_learns_and_keeps_float32_weights(tmp_path: Path, source: Path) -> None:
    losses = tune(source, tmp_path, precision="bfloat16", epochs=10, learning_rate=1e-2)
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    encoder = load_encoder("tiny", path=str(tmp_path / "checkpoint"))
    assert {weight.dtype for weight in encoder.model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"precision": "float16"}, "bfloat16"), ({"state": "thawed"}, "finetuned, frozen")],
)
def test_an_unknown_setting_names_the_known_ones(tmp_path, source, changed, message) -> None:
    with pytest.raises(UnknownNameError, match=message):
        tune(source, tmp_path, **changed)


def test_training_leaves_the_global_random_state_alone(tmp_path: Path, source: Path) -> None:
    torch_before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    tune(source, tmp_path, epochs=1)
    assert torch.equal(torch_before, torch.random.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


def test_an_epoch_holds_every_input_once_in_batches_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(10, 500, size=1003)
    first, second = (epoch_batches(lengths, 16, seed=3, epoch=epoch) for epoch in (0, 1))
    for batches in (first, second):
        assert sorted(np.concatenate(batches).tolist()) == list(range(1003))
        assert len(batches) == 63
    padded = sum(len(rows) * lengths[rows].max() for rows in first)
    assert padded < 1.1 * lengths.sum()
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))


def test_batches_come_in_no_order_of_length() -> None:
    lengths = np.arange(512)
    longest = [lengths[rows].max() for rows in epoch_batches(lengths, 16, seed=3, epoch=0)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.5


def test_the_learning_rate_rises_to_its_peak_and_falls_towards_zero() -> None:
    rates = [schedule(step, 100, 0.1) for step in range(100)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert rates[10:] == pytest.approx(np.arange(90, 0, -1) / 90)
    assert schedule(0, 5, 0.0) == 1.0


def test_vectors_do_not_decay() -> None:
    matrix, vector = (torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 2), (2,)))
    optimizer = adamw([matrix, vector], weight_decay=0.5)
    for weight in (matrix, vector):
        weight.grad = torch.zeros_like(weight)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    optimizer.step()
    assert matrix.tolist() == pytest.approx(np.full((2, 2), 0.95))
    assert vector.tolist() == [1.0, 1.0]


def test_the_dropout_of_a_step_depends_on_the_step_alone(source: Path) -> None:
    encoder = load_encoder("tiny", path=str(source))
    training = Training(encoder, make_head("qa", DIM, 1), freeze=False, weight_decay=0.0)
    batch = {"input_ids": torch.arange(8)[None], "attention_mask": torch.ones(1, 8).long()}

    def hidden(step: int) -> torch.Tensor:
        with training.running(), random_stream(encoder.device, 1, step):
            return encoder.model(**batch).last_hidden_state

    torch.manual_seed(5)
    first = hidden(1)
    torch.manual_seed(6)
    assert torch.equal(first, hidden(1))
    assert not torch.equal(first, hidden(2))
