"""Units on a dask cluster: the bytes of the local run, whoever is killed; clear errors."""

import os
import signal
from importlib import import_module
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster
from made_up_runs import contents, kill_one_at_work, start, write_params
from made_up_spaces import two_squares, write_layers, write_workspace

from tuneprobe.backends import ADDRESS, ClusterError, outcomes
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.formats.representations import layer_file
from tuneprobe.spaces import Space, example_table
from tuneprobe.units import UnitError, layer_units, measured


@pytest.fixture(scope="module")
def local(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the stage `geometry` writes when this machine measures all units."""
    folder = tmp_path_factory.mktemp("local")
    write_workspace(folder, "made-up", n_layers=3, apart=0.8, n_train=160)
    write_params(root, folder)
    assert start("geometry", root, folder).wait() == 0
    return contents(folder)


@pytest.mark.parametrize("killed", [False, True])
def test_two_workers_give_the_bytes_of_one_machine_even_when_one_is_killed(
    killed: bool, cluster, local: dict[str, bytes], root: Path, tmp_path: Path
) -> None:
    client, workers = cluster
    folder = tmp_path / "elsewhere"
    write_workspace(folder, "made-up", n_layers=3, apart=0.8, n_train=160)
    write_params(root, folder)
    where = {ADDRESS: client.scheduler.address, "TUNEPROBE_BACKEND": "dask"}
    running = start("geometry", root, folder, **where)
    if killed:
        kill_one_at_work(client, workers, running)
    assert running.wait() == 0
    assert len(client.scheduler_info()["workers"]) == (1 if killed else 2)
    assert contents(folder) == local


def mean_and_mischief(space: Space, *, spoils: str = "", text: str = "") -> dict[str, pd.DataFrame]:
    """One number a unit; the first unit spoils a file, or removes it, or fails."""
    mean = float(space.X_train.mean())
    if mean == 0 and spoils:
        Path(spoils).write_text(text) if text else Path(spoils).unlink()
    elif mean == 0:
        raise TuneprobeError("the lights went out.")
    return {"means": pd.DataFrame({"mean": [mean]})}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "",
            ClusterError,
            r"cannot read .*layer_01\.npy: .* a file system that all machines share",
        ),
        (
            "other",
            ClusterError,
            r"has another layer_01\.npy in .*, another tuneprobe, or other ver",
        ),
        (None, UnitError, "state tuned, layer 0: the lights went out"),
    ],
)
def test_a_worker_with_no_file_or_another_one_or_a_mistake_is_one_clear_error(
    thread_cluster: None, tmp_path: Path, text: str | None, error: type, message: str
) -> None:
    examples, X = two_squares()
    layers = [np.full_like(X, number) for number in range(2)]
    states = {"tuned": write_layers(tmp_path / "rep", layers, examples)}
    spoilt = {} if text is None else {"spoils": str(tmp_path / "rep" / layer_file(1)), "text": text}
    units = layer_units(states, lambda *_: spoilt)
    where = {"cache": tmp_path / "cache", "workers": 1, "backend": "dask"}
    with (
        pytest.raises(error, match=message),
        measured(mean_and_mischief, units, example_table(examples), **where),
    ):
        pass
    assert len(list((tmp_path / "cache").glob("*"))) == (text is not None)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_call_that_kills_its_workers_is_given_up_with_a_sentence(monkeypatch) -> None:
    shape = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(processes=True, **shape) as small,
    ):
        monkeypatch.setenv(ADDRESS, small.scheduler_address)
        with pytest.raises(ClusterError, match="given up after 1 of its workers died"):
            list(outcomes(die, [()], backend="dask", processes=1))


class OfAnotherModule:
    """What is of a module that the workers lack."""

    def __reduce__(self) -> tuple:
        return import_module, ("not_installed_there",)


def test_workers_without_the_code_are_told_from_a_mistake_in_it(thread_cluster: None) -> None:
    with pytest.raises(ClusterError, match=r"a worker cannot load the code .*not_installed_there"):
        list(outcomes(len, [(OfAnotherModule(),)], backend="dask", processes=1))
    with pytest.raises(RuntimeError, match="a mistake"):
        list(outcomes(fail, [()], backend="dask", processes=1))


def fail() -> None:
    raise RuntimeError("a mistake")


def test_no_address_nobody_there_and_an_unknown_backend_are_one_sentence_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    with pytest.raises(ClusterError, match="TUNEPROBE_CLUSTER is not set: export"):
        list(outcomes(die, [()], backend="dask", processes=1))
    monkeypatch.setenv(ADDRESS, "tcp://127.0.0.1:1")
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "200ms"}),
        pytest.raises(ClusterError, match=r"no dask scheduler answers at .*=tcp://127\.0\.0\.1:1 "),
    ):
        list(outcomes(die, [()], backend="dask", processes=1))
    with pytest.raises(UnknownNameError, match="Did you mean 'dask'"):
        list(outcomes(die, [()], backend="desk", processes=1))
