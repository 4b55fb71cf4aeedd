"""Dropout: rate, scale, gradient, and that a model's modules draw it in the block alone."""

import pytest
import torch
from torch import nn

from tuneprobe.tuning.dropout import dropout, quick_dropout


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_the_share_of_zeros_is_p_and_the_mean_stays(p: float) -> None:
    torch.manual_seed(1)
    dropped = dropout(torch.ones(1_000_003), p)
    assert (dropped == 0).float().mean().item() == pytest.approx(p, abs=2e-3)
    assert dropped.mean().item() == pytest.approx(1, abs=3e-3)
    assert len(dropped.unique()) == 2


def test_each_value_is_dropped_by_itself() -> None:
    torch.manual_seed(2)
    dropped = (dropout(torch.ones(250_000, 4), 0.5) == 0).float()
    rates = torch.corrcoef(dropped.T)
    assert torch.allclose(rates, torch.eye(4), atol=0.01)


def test_the_gradient_is_that_of_what_was_kept() -> None:
    torch.manual_seed(3)
    x = torch.randn(7, 3, requires_grad=True)
    y = dropout(x, 0.5)
    y.sum().backward()
    assert torch.equal(x.grad, torch.where(y == 0, 0.0, 2.0))


def test_the_seed_decides_and_the_number_of_threads_does_not() -> None:
    x, found, before = torch.ones(300_001), [], torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(4)
        found.append(dropout(x, 0.1))
    torch.set_num_threads(before)
    assert torch.equal(*found)


@pytest.mark.parametrize(("p", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_nothing_and_everything_can_be_dropped(p: float, expected: float) -> None:
    assert dropout(torch.ones(5), p).tolist() == [expected] * 5


def test_modules_draw_so_in_the_block_and_only_in_training() -> None:
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)), torch.ones(2, 4)
    with quick_dropout(model):
        torch.manual_seed(5)
        inside = model(x)
        torch.manual_seed(5)
        assert torch.equal(inside, dropout(model[0](x), 0.5))
        assert torch.equal(model.eval()(x), model[0](x))
    model.train()
    torch.manual_seed(5)
    behind = model(x)
    torch.manual_seed(5)
    assert torch.equal(behind, nn.functional.dropout(model[0](x), 0.5))
