"""Blocks of an ablation sweep: no bit depends on them, on processes, on machines or on a kill."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import Forked
from made_up_encoders import made_up_encoder, made_up_head, made_up_texts
from made_up_runs import OF, contents, kill_one_at_work, write_params
from tiny_reader import DIM, WORDS

from tuneprobe import paths
from tuneprobe.backends import ADDRESS, ClusterError
from tuneprobe.encoders.encoder import load_encoder
from tuneprobe.formats.examples import Examples, ExamplesBuilder, write_examples
from tuneprobe.rng import rng
from tuneprobe.studies.attention.ablation import sweep
from tuneprobe.studies.attention.ablation.spread import Tuned, kept_sweep, loaded
from tuneprobe.studies.attention.ablation.sweep import ablation_sweep, text_blocks
from tuneprobe.tuning.checkpoints import HEAD, write_checkpoint
from tuneprobe.tuning.heads import make_head
from tuneprobe.tuning.labelled_texts import labelled_texts

TASK, ENCODER, LABELS = "world-rte", "minilm-l6", ["0", "1"]
RESUMES = Path(".cache/resume")
ABLATE = {"ablations": ["uniform", "mean"], "max_texts": 1000, "tokens_per_chunk": 100}
IN_SMALL_BLOCKS = """
import runpy, sys
from tuneprobe.studies.attention.ablation import sweep
sweep.BLOCK_TOKENS = 512
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def many_pairs(n_texts: int = 45) -> Examples:
    """Pairs of sentences of many lengths: some 1,150 word pieces, three small blocks."""
    draws, builder, words = rng(0, "many-pairs"), ExamplesBuilder(), np.array(WORDS.split())
    for number in range(n_texts):
        pair = (draws.choice(words, size=draws.integers(5, 20)).tolist() for _ in range(2))
        text = builder.add_text(f"t{number}", *pair)
        builder.add_example(builder.add_whole_text(text), -1, LABELS[number % 2], "test")
    return builder.build()


def write_tuned(folder: Path, source: Path, seed: int = 5) -> Path:
    """The checkpoint of an encoder and a head that were drawn."""
    encoder = load_encoder("tiny", path=str(source))
    head = make_head("label", DIM, seed, n_outputs=2, n_spans=1)
    torch.nn.init.normal_(head.output.weight, std=5, generator=torch.Generator().manual_seed(seed))
    write_checkpoint(folder, encoder, head, kind="label", state="finetuned", labels=LABELS)
    return folder


def tuned_at(checkpoint: Path, source: Path) -> Tuned:
    return Tuned("tiny", "finetuned", 13, checkpoint, (("path", str(source)),), threads=1)


def write_workspace(root: Path, folder: Path, source: Path, **changes: object) -> None:
    """What the stage `ablate` reads."""
    write_examples(many_pairs(), folder / paths.examples(TASK))
    write_tuned(folder / paths.checkpoint(ENCODER, TASK, "finetuned", 13), source)
    encoders = {ENCODER: {"path": str(source)}}
    write_params(root, folder, encoders=encoders, ablate=ABLATE, **changes)


def start_ablate(root: Path, folder: Path, **environment: str) -> Forked:
    """Start the stage `ablate`, with blocks that take no seconds."""
    script = str(root / "stages" / "ablate.py")
    words = ["-c", IN_SMALL_BLOCKS, script, "--task", TASK, *OF]
    return Forked(words, folder, {**os.environ, **environment})


@pytest.fixture(scope="module")
def local(
    root: Path, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, bytes], Path]:
    """What one process of this machine writes, and where."""
    folder = tmp_path_factory.mktemp("local")
    write_workspace(root, folder, source)
    assert start_ablate(root, folder).wait() == 0
    assert not list((folder / RESUMES).glob("*"))
    return contents(folder), folder


def test_no_bit_depends_on_what_else_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made_up_texts(made_up_encoder("bert"), [5, 9, 5, 7, 12, 5, 9, 30], n_spans=2)
    for kind in sweep.TYPES:
        swept = []
        for tokens in (1, 20, 10_000):
            monkeypatch.setattr(sweep, "BLOCK_TOKENS", tokens)
            head = made_up_head(n_spans=2)
            swept.append(ablation_sweep(head, data, ablation=kind, tokens_per_chunk=10))
        assert not np.isnan(swept[0]).any()
        assert np.array_equal(swept[0], swept[1])
        assert np.array_equal(swept[0], swept[2])


def test_blocks_hold_every_text_once_in_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "BLOCK_TOKENS", 20)
    lengths = np.array([5, 9, 5, 7, 12, 5, 9, 30])
    found = [block.tolist() for block in text_blocks(lengths, 10)]
    assert found == [[0, 2, 5], [3, 1, 6], [4], [7]]  # up to 20, 40, 60 tokens and beyond


def test_texts_that_are_selected_keep_their_examples_spans_and_targets() -> None:
    texts = made_up_texts(made_up_encoder("bert"), [5, 9, 7], 2, targets=np.arange(6))
    some = texts.select(np.array([2, 0]))
    assert some.lengths.tolist() == [7, 5]
    assert some.targets is not None
    assert some.targets.tolist() == [4, 5, 0, 1]
    whole, part = texts.batch(np.array([2, 0])), some.batch(np.array([0, 1]))
    assert torch.equal(whole["input_ids"], part["input_ids"])
    assert torch.equal(whole["pool"].to_dense(), part["pool"].to_dense())


def test_two_processes_give_the_bytes_of_one(root, source, local, tmp_path: Path) -> None:
    write_workspace(root, tmp_path, source)
    assert start_ablate(root, tmp_path, TUNEPROBE_WORKERS="2").wait() == 0
    assert contents(tmp_path) == local[0]


def test_a_cluster_gives_the_bytes_of_one_machine_even_when_a_worker_is_killed(
    cluster, root, source, local, tmp_path: Path
) -> None:
    client, workers = cluster
    write_workspace(root, tmp_path / "elsewhere", source)
    address = {ADDRESS: client.scheduler.address, "TUNEPROBE_BACKEND": "dask"}
    running = start_ablate(root, tmp_path / "elsewhere", **address)
    kill_one_at_work(client, workers, running)
    assert running.wait() == 0
    assert len(client.scheduler_info()["workers"]) == 1
    assert contents(tmp_path / "elsewhere") == local[0]


def test_a_killed_sweep_goes_on_with_the_blocks_that_are_left(
    root, source, local, tmp_path: Path
) -> None:
    write_workspace(root, tmp_path, source)
    running = start_ablate(root, tmp_path)
    while not (kept := finished(tmp_path)):
        assert running.poll() is None
        time.sleep(0.005)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "results").exists()
    before = {path: path.stat().st_mtime_ns for path in kept}
    running = start_ablate(root, tmp_path)
    while running.poll() is None:
        assert all(not path.exists() or path.stat().st_mtime_ns == before[path] for path in kept)
        time.sleep(0.05)
    assert running.returncode == 0
    assert contents(tmp_path) == local[0]
    assert not finished(tmp_path)


def finished(folder: Path) -> list[Path]:
    return [path for path in (folder / RESUMES).glob("*/*/*.npy") if path.parent.name[0] != "."]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (Path.unlink, "has another checkpoint in .*, another tuneprobe, another kind of device"),
        (lambda head: head.write_bytes(b"other"), "has another checkpoint in "),
        (lambda head: shutil.rmtree(head.parent), "cannot read .* file system that all machines"),
    ],
)
def test_a_worker_that_has_another_checkpoint_says_so(
    harm: Callable[[Path], None], message: str, thread_cluster: None, source: Path, tmp_path: Path
) -> None:
    tuned = tuned_at(write_tuned(tmp_path / "tuned", source), source)
    model = tuned.sha256()
    labeller = loaded(tuned, model)
    loaded.cache_clear()  # the worker is another thread of this process
    harm(tuned.checkpoint / HEAD)
    data = labelled_texts(labeller.encoder, many_pairs(20), "test")
    kept = kept_sweep(tuned, model, cache=tmp_path / "cache", workers=1, backend="dask")
    with pytest.raises(ClusterError, match=message):
        ablation_sweep(labeller.head, data, sweep=kept)
    assert not (tmp_path / "cache").exists()


def test_a_worker_does_not_keep_the_weights_of_an_earlier_tuning(
    thread_cluster: None, source: Path, tmp_path: Path
) -> None:
    swept = []
    for seed in (5, 6):
        tuned = tuned_at(write_tuned(tmp_path / "tuned", source, seed), source)
        model = tuned.sha256()
        labeller = loaded(tuned, model)
        data = labelled_texts(labeller.encoder, many_pairs(20), "test")
        kept = kept_sweep(tuned, model, cache=tmp_path / "cache", workers=1, backend="dask")
        swept.append(ablation_sweep(labeller.head, data, sweep=kept))
        assert np.array_equal(swept[-1], ablation_sweep(labeller.head, data))
    assert not np.array_equal(*swept)
