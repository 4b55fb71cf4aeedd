"""What a process that was killed while it wrote leaves behind."""

import subprocess
import sys
from pathlib import Path

from tuneprobe.artifacts import scratch_name


def left_by_a_killed_process(path: Path) -> Path:
    """The folder in which a process that is gone was writing `path`."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    scratch = scratch_name(path, process.pid)
    scratch.mkdir(parents=True)
    return scratch
