"""Token budgets that halve when the memory runs out, and writing while the next is computed."""

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from tuneprobe.encoders.forward import OutOfMemoryError, TokenBudget, fitted_tokens, write_behind

LENGTHS = np.array([7, 3, 5, 3, 40, 2, 9])
BY_LENGTH = [5, 1, 3, 2, 0, 6, 4]


def short_of_memory(most: int) -> tuple[Callable[[np.ndarray], list[int]], list[int]]:
    """Work that can hold `most` tokens, rows x the longest, and the sizes of what it was given."""
    sizes: list[int] = []

    def work(batch: np.ndarray) -> list[int]:
        sizes.append(len(batch))
        if len(batch) * LENGTHS[batch].max() > most:
            raise torch.OutOfMemoryError
        return batch.tolist()

    return work, sizes


@pytest.mark.parametrize("most", [1000, 60, 45, 40])
def test_every_text_is_done_once_in_order_of_length_however_often_the_memory_runs_out(most):
    work, _ = short_of_memory(most)
    done = list(TokenBudget(1000).passes(LENGTHS, work))
    assert all(batch.tolist() == made for batch, made in done)
    assert [text for batch, _ in done for text in batch] == BY_LENGTH


def test_the_budget_halves_for_the_rest_and_for_all_texts_after():
    work, sizes = short_of_memory(50)
    budget = TokenBudget(100)
    list(budget.passes(LENGTHS, work))
    assert (sizes, budget.tokens) == ([6, 5, 1, 1], 50)
    list(budget.passes(LENGTHS, work))
    assert (sizes[4:], budget.tokens) == ([5, 1, 1], 50)


def test_a_text_that_does_not_fit_alone_is_named_by_its_length():
    work, _ = short_of_memory(39)
    with pytest.raises(OutOfMemoryError, match="does not hold a text of 40 word pieces"):
        list(TokenBudget(1000).passes(LENGTHS, work))


def test_another_error_is_not_taken_for_a_lack_of_memory():
    def work(batch: np.ndarray) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(TokenBudget(10).passes(LENGTHS, work))


def test_a_budget_is_a_power_of_two_that_fills_at_most_half_of_the_free_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1_000_000, 10**12))
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    assert fitted_tokens(cuda, floats=100, otherwise=7) == 1024  # 1250 of 400 bytes fill half
    assert fitted_tokens(cuda, floats=10**9, otherwise=7) == 1
    assert fitted_tokens(cuda, floats=1, otherwise=7) == 1 << 15
    assert fitted_tokens(cpu, floats=100, otherwise=7) == 7


def test_an_item_is_written_while_the_next_one_is_made_and_items_stay_in_order():
    made, written = [threading.Event() for _ in range(4)], []

    def items() -> Iterator[int]:
        for number in range(3):
            made[number].set()
            yield number
        made[3].set()

    def write(number: int) -> None:
        assert made[number + 1].wait(10), "the next item is not made while this one is written"
        written.append(number)

    write_behind(items(), write)
    assert written == [0, 1, 2]


def test_no_more_than_two_items_are_in_memory():
    alive, most = 0, 0

    def items() -> Iterator[int]:
        nonlocal alive, most
        for number in range(5):
            alive += 1
            most = max(most, alive)
            yield number

    def write(number: int) -> None:
        nonlocal alive
        time.sleep(0.01)
        alive -= 1

    write_behind(items(), write)
    assert (alive, most) == (0, 2)


def test_an_error_of_the_writer_ends_the_making_and_one_of_the_making_is_raised_too():
    made = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_behind(items(), full)
    assert len(made) == 2
    with pytest.raises(ZeroDivisionError):
        write_behind((1 // number for number in (1, 0)), lambda number: None)
