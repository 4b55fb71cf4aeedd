"""Training curves, written by DVCLive while a training runs."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dvclive import Live

from tuneprobe.artifacts import room_for

EVERY = 10  # steps per point


@contextmanager
def training_curve(
    folder: Path | None, losses: Sequence[float]
) -> Iterator[Callable[[Sequence[float]], None]]:
    """Yield a function that takes all losses so far, to be called after each step.

    Every tenth step ``plots/metrics/loss.tsv`` gets the mean loss of the last ten, and in the end
    that of the steps that are left. `losses` is the list that the training appends to; what it
    already holds is written first, so a resumed training leaves the same bytes as an undisturbed
    one. The folder is removed when the training fails; nothing is written if it is None.

    Raises
    ------
    DiskFullError
        If the disk has no room for a point.
    """
    if folder is None:
        yield lambda losses: None
        return
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with room_for(f"the training curve {folder}", folder):
            live = Live(str(folder), save_dvc_exp=False, dvcyaml=None)

        def point(losses: Sequence[float], n_steps: int) -> None:
            with room_for(f"the training curve {folder}", folder):
                live.step = len(losses)
                live.log_metric("loss", sum(losses[-n_steps:]) / n_steps)

        def plot(losses: Sequence[float]) -> None:
            if len(losses) % EVERY == 0:
                point(losses, EVERY)

        for done in range(1, len(losses) + 1):
            plot(losses[:done])
        yield plot
        if n_left := len(losses) % EVERY:
            point(losses, n_left)
        with room_for(f"the training curve {folder}", folder):
            live.end()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    Path(live.metrics_file).unlink(missing_ok=True)  # the last point only
