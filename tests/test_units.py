"""Units of a study: kept over a kill, the same bytes from any number of processes."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from forked import Forked
from made_up_runs import contents, start, write_params
from made_up_spaces import two_squares, write_layers, write_workspace

from tuneprobe.backends import WorkerLostError, outcomes
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.formats.examples import ExamplesBuilder
from tuneprobe.formats.representations import Representations
from tuneprobe.spaces import Space, SpaceError, example_table, read_space
from tuneprobe.units import UnitError, chosen, layer_units, measured


def mean_and_log(space: Space, *, log: str, broken: str = "") -> dict[str, pd.DataFrame]:
    """One number a unit; says in `log` that it ran, and fails while the file `broken` exists."""
    mean = float(space.X_train.mean())
    with Path(log).open("a") as file:
        file.write(f"{mean:.3f}\n")
    if mean > 1.5 and Path(broken).is_file():
        raise TuneprobeError("the lights went out.")
    return {"means": pd.DataFrame({"mean": [mean]})}


def three_layers(folder: Path) -> tuple[dict[str, Representations], pd.DataFrame]:
    examples, X = two_squares()
    layers = [np.full_like(X, number) for number in range(3)]
    return {"tuned": write_layers(folder, layers, examples)}, example_table(examples)


def test_units_that_were_finished_before_a_failure_are_not_measured_again(tmp_path: Path) -> None:
    states, table = three_layers(tmp_path / "rep")
    log, broken, cache = tmp_path / "log", tmp_path / "broken", tmp_path / "cache"
    broken.touch()
    units = layer_units(states, lambda *_: {"log": str(log), "broken": str(broken)})
    call = {"cache": cache, "workers": 1}
    with (
        pytest.raises(UnitError, match="state tuned, layer 2: the lights went out"),
        measured(mean_and_log, units, table, **call),
    ):
        pass
    broken.unlink()
    with measured(mean_and_log, units, table, **call) as found:
        assert cache.exists()
    assert log.read_text().split() == ["0.000", "1.000", "2.000", "2.000"]
    assert found["means"].values.tolist() == [
        ["tuned", 0, 0.0],
        ["tuned", 1, 1.0],
        ["tuned", 2, 2.0],
    ]
    assert not cache.exists()


def test_equal_units_are_measured_once_and_other_settings_or_vectors_anew(tmp_path: Path) -> None:
    states, table = three_layers(tmp_path / "rep")
    log, cache = tmp_path / "log", tmp_path / "cache"
    twins = {**states, "twin": states["tuned"]}

    def run(**settings: str) -> None:
        units = layer_units(twins, lambda *_: {"log": str(log), **settings})
        with (
            pytest.raises(KeyboardInterrupt),
            measured(mean_and_log, units, table, cache=cache, workers=1),
        ):
            raise KeyboardInterrupt

    run()
    run()
    assert len(log.read_text().split()) == 3
    run(broken="elsewhere")
    assert len(log.read_text().split()) == 6
    np.save(states["tuned"].folder / "layer_01.npy", np.ones((15, 2), dtype=np.float32) / 2)
    run()
    assert len(log.read_text().split()) == 7


def die(_number: int) -> None:
    """What the system does to a process where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_process_that_was_killed_is_one_sentence() -> None:
    with pytest.raises(WorkerLostError, match=r"was killed, .* lower TUNEPROBE_WORKERS and"):
        list(outcomes(die, [(1,), (2,)], backend="local", processes=2))


def test_layers_are_chosen_by_name() -> None:
    assert [chosen("last", layer, 2) for layer in range(3)] == [False, False, True]
    assert [chosen("all", layer, 1) for layer in range(2)] == [True, True]
    assert not chosen("none", 0, 0)
    with pytest.raises(UnknownNameError, match="Did you mean 'last'"):
        chosen("lst", 0, 0)


def test_too_few_rows_an_empty_split_and_nan_are_one_clear_error_each(tmp_path: Path) -> None:
    states, table = three_layers(tmp_path / "rep")
    np.save(states["tuned"].folder / "layer_02.npy", np.r_[np.ones((13, 2)), [[1, np.nan]] * 2])
    with pytest.raises(SpaceError, match=r"layer 2 .*: 2 of 3 test vectors .* example 13"):
        read_space(states["tuned"], 2, table)
    np.save(states["tuned"].folder / "layer_01.npy", np.zeros((14, 2), dtype=np.float32))
    with pytest.raises(SpaceError, match=r"layer 1 .* has 14 rows for 15 spans"):
        read_space(states["tuned"], 1, table)
    with pytest.raises(SpaceError, match=r"no example of the split 'test'; .*'train': 12"):
        read_space(states["tuned"], 0, table[table.split == "train"])


def test_the_type_of_a_pair_is_the_pair_of_what_the_tokenizer_makes_of_its_words() -> None:
    builder = ExamplesBuilder()
    text = builder.add_text("t", ["out", "of", "Paris"], ["He", "left"])
    spans = [builder.add_span(text, 0, 0, 2, "word"), builder.add_span(text, 1, 1, 2, "word")]
    builder.add_example(spans[0], spans[1], "x", "train")
    builder.add_example(spans[1], spans[0], "x", "train")
    builder.add_example(builder.add_whole_text(text), -1, "x", "test")
    table = example_table(builder.build(), np.array([8, 5, 0]))
    assert table.type.tolist() == ["8 5", "5 8", ""]
    assert table.text.tolist() == [0, 0, 0]
    assert set(example_table(builder.build()).type) == {""}


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["geometry", "classify"])
def test_a_killed_stage_run_again_gives_the_bytes_of_one_process_undisturbed(
    stage: str, root: Path, tmp_path: Path
) -> None:
    for name in ("undisturbed", "killed"):
        write_workspace(tmp_path / name, "made-up", n_layers=3, apart=0.8, n_train=240)
        write_params(root, tmp_path / name)
    assert start(stage, root, tmp_path / "undisturbed").wait() == 0
    killed = tmp_path / "killed"
    running = start(stage, root, killed, TUNEPROBE_WORKERS="2")
    finished = wait_for_units(killed, running)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert 0 < finished < 9
    assert not (killed / "results").exists()
    assert start(stage, root, killed).wait() == 0  # one process goes on where two were
    assert contents(killed) == contents(tmp_path / "undisturbed")
    assert not list((killed / ".cache" / "resume").iterdir())


def wait_for_units(folder: Path, running: Forked) -> int:
    """Wait until a unit is finished; the number of finished units then."""
    while running.poll() is None:
        finished = list((folder / ".cache" / "resume").glob("*/[!.]*"))
        if finished:
            return len(finished)
        time.sleep(0.01)
    raise AssertionError("the stage ended before it could be killed")
