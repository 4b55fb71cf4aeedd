"""Git in the repositories that tests make."""

import subprocess
from pathlib import Path


def git(repository: Path, *words: str) -> str:
    """What a Git command prints; commits are someone's."""
    who = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    run = subprocess.run(["git", *who, *words], cwd=repository, check=True, capture_output=True)
    return run.stdout.decode().strip()
