"""What to run where an artifact is missing or damaged: a command that names its stage."""

from functools import lru_cache
from pathlib import Path

from tuneprobe.yaml_file import LOCK_BYTES, YamlFileError, parse_yaml

LOCK = Path("dvc.lock")


def remedy(path: Path) -> str:
    """The end of a sentence about a file, or a folder, that is missing or damaged."""
    stage = stage_of(path)
    again = f"dvc repro {stage}" if stage else "dvc repro"
    if not path.exists():
        return f"run '{again}' (or 'dvc pull')."
    return (
        f"run 'dvc checkout --force {path.parent}', or '{again}' to make it anew "
        "('tuneprobe check' finds damage in the cache)."
    )


def stage_of(path: Path) -> str:
    """Name of the stage whose output holds `path`, as dvc.lock records it; "" if none does."""
    try:
        with LOCK.open("rb") as file:
            outs = _outputs(file.read(LOCK_BYTES + 1))
        inside = path.absolute().relative_to(Path.cwd())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, YamlFileError):
        return ""
    return next((outs[one] for one in (inside, *inside.parents) if one in outs), "")


@lru_cache(maxsize=1)
def _outputs(lock: bytes) -> dict[Path, str]:
    """The stage of each output, from the bytes of a lock file."""
    stages = parse_yaml(lock, str(LOCK), LOCK_BYTES)["stages"]
    return {Path(out["path"]): name for name, one in stages.items() for out in one.get("outs", [])}
