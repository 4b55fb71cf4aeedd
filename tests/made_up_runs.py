"""Runs of real stages in a made-up workspace, whose numbers are kept as bytes."""

import os
import signal
import time
from pathlib import Path

import yaml
from distributed import Client
from forked import Forked

OF = ("--encoder", "minilm-l6", "--seed", "13")


def write_params(
    root: Path, folder: Path, ablate: dict[str, object] | None = None, **settings: object
) -> None:
    """The parameters of the checkout, but for classifiers and hulls that take no time."""
    params = yaml.safe_load((root / "params.yaml").read_text())
    regimen = {"learning_rate": 0.01, "batch": 50, "max_epochs": 4, "patience": 2, "race": [1]}
    cheap = {"hidden": [[8, 8]], "initialisations": 2, "regimen": regimen, "orders": 2}
    params["geometry"]["classify"].update(cheap)
    params["geometry"]["directprobe"]["max_nearest"] = 20
    params["intervals"]["bootstrap"] = 50
    params["attention"]["ablate"].update(ablate or {})
    params["tasks"]["made-up"] = {"format": "glue", "path": "made-up", "target": "rte"}
    params.update(settings)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def start(
    stage: str, root: Path, folder: Path, task: str = "made-up", **environment: str
) -> Forked:
    """Start a stage in a session of its own."""
    script = str(root / "stages" / f"{stage}.py")
    return Forked([script, "--task", task, *OF], folder, {**os.environ, **environment})


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all results."""
    files = (folder / "results").rglob("*.*")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.is_file()}


def kill_one_at_work(client: Client, workers: list[Forked], running: Forked) -> None:
    """Kill the first worker of a cluster once all have work from a stage that is running."""
    while not all(client.processing().values()):
        assert running.poll() is None
        time.sleep(0.01)
    workers[0].send_signal(signal.SIGKILL)
