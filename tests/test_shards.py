"""Shards: kept over a kill, the same bytes from any number of processes, one clear error."""

import gzip
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from forked import Forked
from stored import contents
from test_nq import kites

from tuneprobe import paths
from tuneprobe.artifacts import read_meta
from tuneprobe.corpora.mrc import Shard, mrc_shards
from tuneprobe.errors import UnknownNameError
from tuneprobe.examples.qa_parts import join_qa, write_qa_part
from tuneprobe.examples.shards import ShardError, prepared

CORPUS, TASK = "natural-questions", "natural-questions-qa"


def write_corpus(data: Path, n_shards: int = 6, per_shard: int = 60) -> Path:
    """Packed shards in the original format, each question with a number of its own."""
    folder = data / CORPUS
    folder.mkdir(parents=True)
    for shard in range(n_shards):
        lines = [
            json.dumps(
                {
                    **example,
                    "example_id": f"{shard}-{number}-{example['example_id']}",
                    "question_tokens": [*example["question_tokens"], str(shard), str(number)],
                }
            )
            for number in range(per_shard)
            for example in kites()
        ]
        name = f"nq-{'train' if shard else 'dev'}-{shard:02}.jsonl.gz"
        (folder / name).write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    return folder


def prepare(folder: Path, workers: int) -> dict[str, bytes]:
    """The examples of the corpus in a folder, prepared by this process or by several."""
    shards, out = mrc_shards(CORPUS, folder / "data"), folder / paths.examples(TASK)
    cache = folder / paths.parts(TASK)
    with prepared(write_qa_part, shards, cache=cache, workers=workers) as parts:
        join_qa(parts, out)
    assert not cache.exists()
    return contents(out)


def start_stage(root: Path, folder: Path, workers: int) -> Forked:
    """The stage prepare-qa in a folder, in a session of its own."""
    shutil.copy(root / "params.yaml", folder)
    script = str(root / "stages" / "prepare_qa.py")
    return Forked(
        [script, "--task", CORPUS], folder, {**os.environ, "TUNEPROBE_WORKERS": str(workers)}
    )


def whole_parts(folder: Path) -> list[Path]:
    return list((folder / paths.parts(TASK)).glob("[!.]*"))


def write_and_log(shard: Shard, folder: Path, *, log: str) -> None:
    """`write_qa_part` that says in `log` which shard it read."""
    with Path(log).open("a") as file:
        file.write(f"{shard.name}\n")
    write_qa_part(shard, folder)


def test_a_killed_preparation_run_again_gives_the_bytes_of_one_undisturbed(
    root: Path, tmp_path: Path
) -> None:
    write_corpus(tmp_path / "data")
    running = start_stage(root, tmp_path, workers=2)
    while not whole_parts(tmp_path):
        assert running.poll() is None, "the stage ended before it could be killed"
        time.sleep(0.001)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    kept = {part: part.stat().st_ino for part in whole_parts(tmp_path)}
    assert 0 < len(kept) < 6
    assert not (tmp_path / "examples").exists()
    shards, cache = mrc_shards(CORPUS, tmp_path / "data"), tmp_path / paths.parts(TASK)
    with prepared(write_qa_part, shards, cache=cache, workers=2) as parts:
        assert kept.items() <= {part: part.stat().st_ino for part in parts}.items()
        join_qa(parts, tmp_path / "after the kill")
    assert read_meta(tmp_path / "after the kill")["n_texts"] == 6 * 60 * 3
    assert contents(tmp_path / "after the kill") == prepare(tmp_path, workers=1)


def test_a_shard_cut_short_is_one_error_that_names_it_and_leaves_nothing_half_written(
    root: Path, tmp_path: Path
) -> None:
    damaged = write_corpus(tmp_path / "data") / "nq-train-03.jsonl.gz"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    running = start_stage(root, tmp_path, workers=1)
    _, errors = running.communicate()
    assert running.returncode == 2
    (error,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert "shard nq-train-03.jsonl.gz: " in error
    assert "the archive is cut short" in error
    assert "Traceback" not in errors
    assert not (tmp_path / "examples").exists()
    assert len(whole_parts(tmp_path)) == 3
    assert len(list((tmp_path / paths.parts(TASK)).iterdir())) == 3


def test_a_failure_in_one_of_several_processes_stops_the_others_without_a_trace(
    tmp_path: Path,
) -> None:
    damaged = write_corpus(tmp_path / "data", n_shards=4, per_shard=400) / "nq-dev-00.jsonl.gz"
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(ShardError, match=r"nq-dev-00\.jsonl\.gz:1: the archive is cut short"):
        prepare(tmp_path, workers=2)
    cache = tmp_path / paths.parts(TASK)
    assert not list(cache.glob(".*"))


def test_only_what_is_left_or_has_changed_is_prepared(tmp_path: Path) -> None:
    damaged = write_corpus(tmp_path / "data", n_shards=3, per_shard=2) / "nq-train-02.jsonl.gz"
    whole, cache = damaged.read_bytes(), tmp_path / "cache"
    damaged.write_bytes(whole[:-9])
    names = [f"nq-{name}.jsonl.gz" for name in ("dev-00", "train-01", "train-02")]

    def run(error: type[BaseException], name: str = "log") -> list[str]:
        log = tmp_path / name
        log.write_text("")
        shards = mrc_shards(CORPUS, tmp_path / "data")
        with (
            pytest.raises(error),
            prepared(write_and_log, shards, cache=cache, workers=1, settings={"log": str(log)}),
        ):
            raise KeyboardInterrupt
        return log.read_text().split()

    assert run(ShardError) == names
    damaged.write_bytes(whole)
    assert run(KeyboardInterrupt) == names[2:]
    assert run(KeyboardInterrupt) == []
    damaged.write_bytes((damaged.parent / names[0]).read_bytes())
    assert run(KeyboardInterrupt) == names[2:]
    assert run(KeyboardInterrupt, "other") == names


def test_an_error_of_several_arguments_comes_back_from_another_process(tmp_path: Path) -> None:
    def fail(_shard: Shard, _folder: Path) -> None:
        raise UnknownNameError("split", "tset", ["train", "test"])

    file = tmp_path / "kites.jsonl"
    file.touch()
    shard = Shard((file,), lambda _: iter(()))
    with (
        pytest.raises(ShardError, match=r"shard kites\.jsonl: unknown split 'tset'"),
        prepared(fail, [shard], cache=tmp_path / "cache", workers=2),
    ):
        pass
