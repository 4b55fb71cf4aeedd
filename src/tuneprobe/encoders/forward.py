"""Forward passes within the memory there is, stored while the next ones are computed.

A token budget bounds a batch. Where the memory of a device runs out all the same, the budget is
halved and the work goes on; results then differ in the last bits, as between any two budgets.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuneprobe.encoders.encoder import Encoder, budget_batches
from tuneprobe.errors import TuneprobeError

FLOAT = 4  # bytes
ON_PROCESSOR = 1024  # tokens of a batch: wider tensors leave the cache, and malloc maps them anew
WIDTHS = 16  # of a token's hidden state: what a layer needs while it computes
MOST = 1 << 15  # tokens of a budget that is fitted to the memory

Rows = NDArray[np.int64]
Grouping = Callable[[Rows, int], Iterable[Rows]]
Item = TypeVar("Item")
Made = TypeVar("Made")


class OutOfMemoryError(TuneprobeError):
    """A single text that does not fit the memory of the device."""


class TokenBudget:
    """How many tokens a model reads together: half as many each time the memory runs out.

    Parameters
    ----------
    group : callable
        Puts texts of given lengths into batches of at most so many tokens.

    Attributes
    ----------
    tokens : int
        What the budget is now.
    """

    def __init__(self, tokens: int, group: Grouping = budget_batches) -> None:
        self.tokens = tokens
        self._group = group

    def passes(self, lengths: Rows, work: Callable[[Rows], Made]) -> Iterator[tuple[Rows, Made]]:
        """Each batch of texts, as positions in `lengths`, with what `work` makes of it.

        A batch that does not fit is tried again in smaller ones, so `work` must not count what it
        sees: it may see a text more than once.

        Raises
        ------
        OutOfMemoryError
            If the memory runs out at a budget that is no longer than the text.
        """
        waiting = self._batches(lengths, np.arange(len(lengths)))
        while waiting:
            made = _unless_out_of_memory(work, waiting[0])
            if made:
                yield waiting.popleft(), made[0]
            else:
                self._halve(int(lengths[waiting[0]].max()))
                waiting = self._batches(lengths, np.sort(np.concatenate(waiting)))

    def _batches(self, lengths: Rows, texts: Rows) -> deque[Rows]:
        return deque(texts[rows] for rows in self._group(lengths[texts], self.tokens))

    def _halve(self, longest: int) -> None:
        if self.tokens <= longest:
            raise OutOfMemoryError(
                f"the memory of the device does not hold a text of {longest} word pieces, alone in "
                "its batch: free the device of other work, or leave out texts so long."
            )
        self.tokens //= 2


def _unless_out_of_memory(work: Callable[[Rows], Made], batch: Rows) -> tuple[Made, ...]:
    """What `work` makes of a batch; nothing, and all that it held freed, if the memory runs out."""
    try:
        return (work(batch),)
    except torch.OutOfMemoryError:
        pass  # the exception holds the tensors of the pass until here
    torch.cuda.empty_cache()
    return ()


def fitted_tokens(device: torch.device, floats: int, otherwise: int) -> int:
    """A token budget for a device: the tokens that fill half of what is free of its memory.

    Rounded down to a power of two, so that small changes of what is free change no result, and at
    most 32,768. On a processor: `otherwise`.

    Parameters
    ----------
    floats : int
        float32 values that a token needs.
    """
    if device.type != "cuda":
        return otherwise
    free, _ = torch.cuda.mem_get_info(device)
    fit = max(1, free // (2 * FLOAT * floats))
    return min(MOST, 1 << (fit.bit_length() - 1))


def encoding_tokens(encoder: Encoder) -> int:
    """The token budget of a pass that keeps the states of all layers; on a processor 1,024."""
    floats = (encoder.n_layers + 1 + WIDTHS) * encoder.dim
    return fitted_tokens(encoder.device, floats, ON_PROCESSOR)


class HostCopies:
    """Tensors as arrays on the host; from a CUDA device they come while it computes on.

    The copies go to pinned memory on a stream of their own. Whoever iterates waits for them.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._copies, self._arrived = list(tensors), None
        if tensors and tensors[0].is_cuda:
            stream = torch.cuda.Stream(tensors[0].device)
            stream.wait_stream(torch.cuda.current_stream(tensors[0].device))
            with torch.cuda.stream(stream):
                self._copies = [_pinned(tensor) for tensor in tensors]
            for tensor in tensors:
                tensor.record_stream(stream)
            self._arrived = stream.record_event()

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        if self._arrived is not None:
            self._arrived.synchronize()
        return (copy.numpy() for copy in self._copies)


def _pinned(tensor: Tensor) -> Tensor:
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)


def write_behind(items: Iterable[Item], write: Callable[[Item], None]) -> None:
    """Write each item, in order, in a second thread, while the next one is computed in this one.

    One item is written and one is computed at a time, so memory holds two. The first error of
    either ends both and is raised here.
    """
    writing: Future[None] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="write") as writer:
        for item in items:
            if writing is not None:
                writing.result()
            writing = writer.submit(write, item)
        if writing is not None:
            writing.result()
