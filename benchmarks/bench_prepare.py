"""What the prepare stages take on simulated Natural Questions, by size of the corpus.

Prints a markdown row per stage: time, processor time, resident memory (sampled every 50 ms) of the
largest process and of all together, the cache at its largest, and what is written. `--data` holds
the folder wordnet; the corpora are written beside each other into `--work`.

    python benchmarks/bench_prepare.py --documents 500 --documents 2000 --work /some/large/disk
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, NamedTuple

import psutil
import simulate_nq
import typer

ROOT = Path(__file__).resolve().parent.parent
MIB = 2**20


class Taken(NamedTuple):
    """What a stage took: seconds, and bytes."""

    wall: float
    processor: float
    one: int
    together: int
    cache: int


def main(
    documents: Annotated[list[int], typer.Option()],
    work: Path = Path("tmp"),
    data: Path = ROOT / "data",
    per_shard: int = 250,
    distinct: int = 300,
) -> None:
    """Run prepare_qa and prepare_pairs over corpora of so many DOCUMENTS."""
    typer.echo(
        "| documents | stage | s | processor s | one, MiB | all, MiB | cache, MiB | out, MiB |"
    )
    typer.echo("|---|---|---|---|---|---|---|---|")
    for count in documents:
        folder = work / f"nq-{count}"
        corpus = folder / "data" / "natural-questions"
        if not corpus.exists():
            simulate_nq.main(corpus, count, -(-count // per_shard), distinct)
            (folder / "data" / "wordnet").symlink_to((data / "wordnet").resolve())
            shutil.copy(ROOT / "params.yaml", folder)
        typer.echo(f"| {count} | packed shards | | | | | | {size(corpus) / MIB:.0f} |")
        for kind in ("qa", "pairs"):
            taken = measured(folder, f"prepare_{kind}.py", f"natural-questions-{kind}")
            out = size(folder / "examples" / f"natural-questions-{kind}")
            memory = " | ".join(f"{n / MIB:.0f}" for n in (*taken[2:], out))
            typer.echo(
                f"| {count} | {kind} | {taken.wall:.0f} | {taken.processor:.0f} | {memory} |"
            )


def measured(folder: Path, script: str, task: str) -> Taken:
    """Run a stage in a folder, watching its processes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    start = time.perf_counter()
    stage = psutil.Popen(
        [sys.executable, ROOT / "stages" / script, task], cwd=folder, env=environment
    )
    one = together = cache = 0
    processor: dict[int, float] = {}
    while stage.poll() is None:
        memory = []
        for process in [stage, *stage.children(recursive=True)]:
            try:
                memory.append(process.memory_info().rss)
                times = process.cpu_times()
                processor[process.pid] = times.user + times.system
            except psutil.Error:
                continue
        one, together = max([one, *memory]), max(together, sum(memory))
        cache = max(cache, size(folder / ".cache"))
        time.sleep(0.05)
    if stage.returncode:
        raise subprocess.CalledProcessError(stage.returncode, script)
    return Taken(time.perf_counter() - start, sum(processor.values()), one, together, cache)


def size(folder: Path) -> int:
    """Bytes of all files under a folder, some of which may vanish meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            total += path.stat().st_size if path.exists() else 0
    return total


if __name__ == "__main__":
    typer.run(main)
