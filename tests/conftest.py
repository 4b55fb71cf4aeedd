"""Fixtures shared by all tests; each imports what it needs, since every process reads this file."""

import gc
import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import vl_convert
from forked import Forked

if TYPE_CHECKING:
    from distributed import Client

    from tuneprobe.page.blocks import Chapter
    from tuneprobe.page.inputs import PageInputs

DASK = ["-m", "dask"]
WORKER = ["--nthreads", "1", "--no-dashboard", "--no-nanny"]
DRAW = vl_convert.vegalite_to_svg
EMPTY = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays: it is not searched for garbage, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: no process is left with a long one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def of_all_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the processes of a run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Path:
    """What `make` writes, made by the first process that asks for it; tests must not change it."""
    made = of_all_processes(tmp_path_factory) / name
    with made.with_suffix(".lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not made.exists():
            part = made.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            part.rename(made)
    return made


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real corpora in their upstream formats, where they lie beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real corpora (../shared/data) are not beside this checkout")
    return folder


@pytest.fixture(scope="session", autouse=True)
def drawn_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each chart is drawn once in all tests of a run: a drawing is a function of its spec."""
    folder = of_all_processes(tmp_path_factory) / "drawn"
    folder.mkdir(exist_ok=True)

    def kept(spec: dict[str, Any] | str, **how: str) -> str:
        file = folder / sha256(json.dumps([spec, how]).encode()).hexdigest()
        if not file.exists():
            part = file.with_suffix(f".{os.getpid()}")
            part.write_text(DRAW(spec, **how))
            part.rename(file)
        return file.read_text()

    vl_convert.vegalite_to_svg = kept


@pytest.fixture(scope="session")
def page_inputs(tmp_path_factory: pytest.TempPathFactory) -> "PageInputs":
    """What a page of all studies is written from."""
    from made_up_page import made_up_page

    return made_up_page(ROOT, tmp_path_factory.mktemp("maps"))


@pytest.fixture(scope="session")
def page_chapters(page_inputs: "PageInputs") -> "list[Chapter]":
    """The chapters of that page, drawn."""
    from tuneprobe.page.page import draw_chapters

    return draw_chapters(page_inputs)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus that is generated, as the code writes it now."""
    from tuneprobe.corpora.world import write_world

    return made_once(tmp_path_factory, "world", write_world)


def draw_nothing(patch: pytest.MonkeyPatch) -> None:
    """Every chart is an empty drawing, every picture the same."""
    patch.setattr("vl_convert.vegalite_to_svg", lambda *_, **__: EMPTY)
    picture = vl_convert.svg_to_png(EMPTY)
    patch.setattr("vl_convert.svg_to_png", lambda *_, **__: picture)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the text."""
    draw_nothing(monkeypatch)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread of torch, on which the last bits of a training depend."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a small BERT."""
    from tiny_reader import write_tiny_bert

    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator["tuple[Client, list[Forked]]"]:
    """A scheduler and two workers, real processes in a folder of their own."""
    from distributed import Client

    file = tmp_path / "scheduler.json"
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = ["worker", *WORKER]
    running = [
        Forked([*DASK, *command, "--scheduler-file", str(file)], tmp_path)
        for command in (scheduler, worker, worker)
    ]
    try:
        while not (file.exists() and file.read_text().endswith("}")):
            assert running[0].poll() is None
            time.sleep(0.02)
        with Client(json.loads(file.read_text())["address"], set_as_default=False) as client:
            client.wait_for_workers(2)
            yield client, running[1:]
    finally:
        for process in running:
            process.kill()
            process.wait()


@pytest.fixture
def thread_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cluster within this process, of one worker with one thread."""
    from distributed import LocalCluster

    from tuneprobe.backends import ADDRESS

    shape = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(processes=False, **shape) as small:
        monkeypatch.setenv(ADDRESS, small.scheduler_address)
        yield
