"""Several processes that share one training or one encoding, as torchrun starts them.

torchrun, and `accelerate launch`, which calls it, say in the environment how many processes there
are (WORLD_SIZE), which of them this is (RANK; LOCAL_RANK on its machine) and where they meet. Sums
go through torch.distributed: Gloo between processors, NCCL between CUDA devices. The main process,
rank 0, is the only one that writes. A process that nobody launched is alone: nothing here then
communicates, or changes a bit.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

from tuneprobe.errors import TuneprobeError

MAIN = 0
Task = TypeVar("Task")
Rows = NDArray[np.int64]
Arrays = Iterable[NDArray[np.float32]]


class ParallelError(TuneprobeError):
    """Processes that do not do the same work."""


@contextmanager
def launched_processes() -> Iterator[None]:
    """Until the end of the block: one group of all processes that a launcher started.

    Each process computes on the CUDA device of its LOCAL_RANK, where there are any. After a failure
    the group is left as it is: the launcher ends the other processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    on_cuda = torch.cuda.is_available()
    if on_cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_cuda else "gloo")
    yield
    wait_for_all()
    distributed.destroy_process_group()


def n_processes() -> int:
    """How many processes share the work."""
    return distributed.get_world_size() if _together() else 1


def rank() -> int:
    """Which of the processes this is, from 0."""
    return distributed.get_rank() if _together() else MAIN


def is_main() -> bool:
    """Whether this is the process that writes."""
    return rank() == MAIN


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if _together():
        distributed.all_reduce(torch.zeros(1))


def share(rows: Rows) -> tuple[Rows, int]:
    """This process's part of the rows of a batch, and how many they are.

    Every n-th row, so that rows sorted by length give each of n processes the same work. One that
    is left without a row computes the first, which counts zero times.
    """
    own = rows[rank() :: n_processes()]
    return (own, len(own)) if len(own) else (rows[:1], 0)


def mean_loss(loss: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The mean loss of a batch, and this process's part of it.

    Parameters
    ----------
    loss : scalar Tensor
        Mean over the n targets of this process.

    Returns
    -------
    tuple of scalar Tensors
        Σ n loss / Σ n, and n loss / Σ n, whose gradients add up to the gradient of the first.
    """
    if not _together():
        return loss, loss
    total = torch.tensor([n * loss.item(), n], dtype=torch.float64, device=loss.device)
    distributed.all_reduce(total)
    return total[0] / total[1], loss * (n / total[1].item())


def add_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its sum over the processes, in one exchange."""
    if not _together():
        return
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    total = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(total)
    parts = total.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def gathered(
    tasks: Sequence[Task], compute: Callable[[Task], Arrays], empty: Callable[[Task], Arrays]
) -> Iterator[tuple[Task, Arrays]]:
    """In the main process, each task in order with its arrays; no item in the other processes.

    The processes take the tasks by turns, so with n of them at most n results are in memory.

    Parameters
    ----------
    empty : callable
        Arrays of the shapes that `compute` gives, to receive another process's.
    """
    for number, task in enumerate(tasks):
        worker = number % n_processes()
        if worker == rank():
            arrays = compute(task)
            if is_main():
                yield task, arrays
            else:
                for array in arrays:
                    distributed.send(torch.from_numpy(np.ascontiguousarray(array)), MAIN)
        elif is_main():
            arrays = empty(task)
            for array in arrays:
                distributed.recv(torch.from_numpy(array), worker)
            yield task, arrays


def require_same(what: str, value: str) -> None:
    """Refuse processes that differ, by what they would compute or where they would begin.

    Raises
    ------
    ParallelError
        In every process, if `value` is not the same in all of them.
    """
    if not _together():
        return
    values: list[str] = [""] * n_processes()
    distributed.all_gather_object(values, value)
    for number, other in enumerate(values):
        if other != values[MAIN]:
            raise ParallelError(
                f"{what} is '{other}' in process {number} and '{values[MAIN]}' in process {MAIN}: "
                "start all processes with the same code, parameters, data and, on several "
                "machines, a folder that they share."
            )


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()
