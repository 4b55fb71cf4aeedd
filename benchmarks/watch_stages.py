"""Peak resident memory of every stage of a run, as the kernel keeps it (Linux).

Runs a command and looks at its processes twice a second; the peak itself is the kernel's (VmHWM),
so none between two looks is missed, but a process that ends within half a second may be. Prints a
row for each stage: the peak of its process, and of the largest worker that it started.

    python benchmarks/watch_stages.py make repro
"""

import re
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import psutil

MIB = 1024  # KiB
PAUSE = 0.5  # seconds


def main() -> None:
    """Run the command, watch it, print the table."""
    command = psutil.Popen(sys.argv[1:])
    stages: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    while command.poll() is None:
        for process in command.children(recursive=True):
            name = stage_of(process)
            if name:
                workers = [peak_kib(one.pid) for one in process.children(recursive=True)]
                found = peak_kib(process.pid), max(workers, default=0)
                stages[name] = [max(pair) for pair in zip(stages[name], found, strict=True)]
        time.sleep(PAUSE)
    sys.stdout.write("| stage | MiB | largest worker, MiB |\n|---|---|---|\n")
    for name, (own, worker) in sorted(stages.items(), key=lambda stage: -stage[1][0]):
        sys.stdout.write(f"| {name} | {own // MIB} | {worker // MIB or ''} |\n")
    if command.returncode:
        raise subprocess.CalledProcessError(command.returncode, sys.argv[1:])


def stage_of(process: psutil.Process) -> str:
    """The script of a stage and its arguments; empty for any other process."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return ""
    at = [number for number, word in enumerate(words) if word.startswith("stages/")]
    if not at or not Path(words[0]).name.startswith("python"):
        return ""
    return " ".join(words[at[0] :]).removeprefix("stages/")


def peak_kib(pid: int) -> int:
    """Largest resident memory of a process so far; 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main()
