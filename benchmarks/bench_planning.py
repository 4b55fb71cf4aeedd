"""How long DVC plans: this graph, and the whole grid of 13 tasks and five encoders as one graph.

Prints markdown rows. Each graph lies in a folder of its own, with a small file in the
place of every output, so nothing is computed or hashed but code. The others have the papers'
corpora, the five labelled tasks and all eight sentence tasks.

    python benchmarks/bench_planning.py
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from dvc.repo import Repo
from dvc.utils.hydra import apply_overrides

ROOT = Path(__file__).resolve().parent.parent
ENCODERS = ("bert-tiny", "bert-mini", "bert-small", "bert-medium", "bert-base")
PAPER = (
    "pairwise.tasks=[natural-questions]",
    "geometry.tasks=[english-pos,english-dep,english-ps-role,english-ps-fxn,english-trec-50]",
    "geometry.dynamics.tasks=[english-ps-role]",
    "geometry.cross.tasks=[english-ps-fxn]",
    "geometry.cross.tuned_on=[english-ps-role,english-pos]",
    "attention.tasks=[mrpc,stsb,sst2,qqp,rte,qnli,mnli,sick]",
    "attention.pair_heads.tasks=[{task: english-dep, tuned_on: english-dep}]",
    "change.tasks=[natural-questions-qa,english-pos,english-dep,mrpc,sst2]",
    "change.erase.tasks=[english-pos]",
    "change.dynamics.tasks=[]",
)
GRAPHS: dict[str, list[tuple[str, ...]]] = {
    "default": [()],
    "13 tasks, one encoder": [("run.encoders=[bert-base]", *PAPER)],
    "13 tasks, five encoders": [(f"run.encoders=[{','.join(ENCODERS)}]", *PAPER)],
}


def main() -> None:
    """Plan each graph, all of it and then with nothing to do."""
    typer.echo(
        "| graph | stages | everything to do, s | processor s | nothing to do, s | processor s |"
    )
    typer.echo("|---|---|---|---|---|---|")
    for name, runs in GRAPHS.items():
        with TemporaryDirectory() as folder:
            repository = Path(folder)
            dvc(repository, "init", "--quiet", "--no-scm")
            for number, settings in enumerate(runs):
                write_graph(repository / f"run-{number}", settings)
            dvc(repository, "add", "--quiet", *map(str, repository.glob("*/data")))
            n_stages = write_outputs(repository)
            new = dvc(repository, "repro", "--dry", "--all-pipelines")
            dvc(repository, "commit", "--force", "--quiet")
            done = dvc(repository, "repro", "--all-pipelines")
        numbers = " | ".join(f"{seconds:.1f}" for seconds in (*new, *done))
        typer.echo(f"| {name} | {n_stages} | {numbers} |")


def write_graph(folder: Path, settings: tuple[str, ...]) -> None:
    """The pipeline with these settings, and some data."""
    junk = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=junk)
    shutil.copytree(ROOT / ".dvc" / "plots", folder / "plots")
    pipeline = (ROOT / "dvc.yaml").read_text(encoding="utf-8").replace(".dvc/plots", "plots")
    (folder / "dvc.yaml").write_text(pipeline, encoding="utf-8")
    shutil.copy(ROOT / "params.yaml", folder)
    apply_overrides(folder / "params.yaml", list(settings))
    (folder / "data").mkdir()
    (folder / "data" / "words").write_text(folder.name, encoding="utf-8")


def write_outputs(repository: Path) -> int:
    """A small file for each output; how many stages there are."""
    with Repo(str(repository)) as repo:
        stages = [stage for stage in repo.index.stages if stage.cmd]
        for path in (Path(out.fs_path) for stage in stages for out in stage.outs):
            file = path if path.suffix else path / "made"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(str(path), encoding="utf-8")
    return len(stages)


def dvc(folder: Path, *words: str) -> tuple[float, float]:
    """Run a command of DVC; its seconds, and those of the processor."""
    before, start = processor_seconds(), time.perf_counter()
    environment = {
        **os.environ,
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": f"{folder}/.dvc/site",
    }
    command = [Path(sys.executable).parent / "dvc", *words]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, processor_seconds() - before


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    typer.run(main)
