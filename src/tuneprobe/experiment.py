"""One experiment that differs from the last commit in what it names, and in nothing else.

`dvc exp run -S` leaves its parameters in the workspace, so that the next experiment would begin
with them. Here each begins with the committed params.yaml, and that is there again at the end.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tuneprobe.errors import TuneprobeError
from tuneprobe.params import Params, load_params

PARAMS = Path("params.yaml")


class ExperimentError(TuneprobeError):
    """An experiment that cannot be made from the last commit."""


def changed_params(settings: Sequence[str]) -> Params:
    """The parameters of the current folder with some settings, as DVC would write them.

    Raises
    ------
    ExperimentError
        If a setting is no ``key=value``, or names a key that is not there.
    ParamsError
        If a value is out of range.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    for setting in settings:
        if "=" not in setting:
            raise ExperimentError(f"'{setting}': expected key=value, such as finetune.epochs=2.")
    with TemporaryDirectory() as folder:
        written = Path(shutil.copy(PARAMS, folder))
        try:
            apply_overrides(written, list(settings))
        except DvcException as error:
            raise ExperimentError(f"{' '.join(settings)}: {error}") from error
        return load_params(written)


def run_experiment(name: str, settings: Sequence[str]) -> int:
    """Run `dvc exp run` from the committed parameters and put them back; its exit code.

    Raises
    ------
    ExperimentError
        If params.yaml differs from the last commit.
    """
    if _git("status", "--porcelain", "--", str(PARAMS)):
        raise ExperimentError(
            f"{PARAMS} differs from the last commit: an experiment begins with what is committed. "
            f"Commit it, or put it back with 'git checkout -- {PARAMS}'."
        )
    changed_params(settings)
    committed = PARAMS.read_bytes()
    words = [word for setting in settings for word in ("-S", setting)]
    try:
        return subprocess.run(["dvc", "exp", "run", "--name", name, *words], check=False).returncode
    finally:
        PARAMS.write_bytes(committed)


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ExperimentError(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
