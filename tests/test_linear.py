"""Linear layers by oneDNN: equal within the tolerance, chosen by time, refused when they differ."""

import numpy as np
import pytest
import torch
from small_encoders import made_up_pieces, small_encoder

from tuneprobe.encoders import linear
from tuneprobe.encoders.encoder import Encoder, pad_batch
from tuneprobe.encoders.linear import TOLERANCE, OneDNNLinear, with_linear
from tuneprobe.encoders.source import EncoderError
from tuneprobe.errors import UnknownNameError

TEXTS = made_up_pieces((5, 0), (9, 6), (20, 0))


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return small_encoder("bert")


def hidden(encoder: Encoder) -> np.ndarray:
    with torch.inference_mode():
        return encoder.model(**pad_batch(encoder, TEXTS)).last_hidden_state.numpy()


def test_onednn_gives_the_stock_states_within_the_tolerance_and_leaves_the_encoder_alone(encoder):
    before = hidden(encoder)
    packed, which = with_linear(encoder, "onednn", TEXTS)
    assert which == "onednn"
    assert any(isinstance(part, OneDNNLinear) for part in packed.model.modules())
    np.testing.assert_allclose(hidden(packed), before, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(hidden(encoder), before)


def test_stock_is_the_encoder_itself(encoder):
    assert with_linear(encoder, "stock", TEXTS) == (encoder, "stock")


@pytest.mark.parametrize(("seconds", "choice"), [(0.9, "onednn"), (0.99, "stock"), (2.0, "stock")])
def test_measured_takes_onednn_only_where_it_is_faster_by_five_percent(
    encoder, monkeypatch, seconds, choice
):
    clock = iter(np.cumsum([0, *[0.5, 1.0, 0.5, seconds] * linear.RUNS]).tolist()[1:])
    monkeypatch.setattr(linear.time, "perf_counter", lambda: next(clock))
    assert with_linear(encoder, "measured", TEXTS)[1] == choice


def test_layers_that_differ_by_more_than_the_tolerance_are_refused(encoder, monkeypatch):
    monkeypatch.setattr(OneDNNLinear, "forward", lambda layer, x: x @ layer.weight.T + 0.01)
    monkeypatch.setattr(OneDNNLinear, "__init__", keep_weight)
    with pytest.raises(EncoderError, match=r"change a hidden state of bert by .*linear=stock"):
        with_linear(encoder, "onednn", TEXTS)


def keep_weight(layer: OneDNNLinear, stock: torch.nn.Linear) -> None:
    torch.nn.Module.__init__(layer)
    layer.weight = stock.weight


def test_an_unknown_choice_is_answered_with_the_nearest(encoder):
    with pytest.raises(UnknownNameError, match="Did you mean 'onednn'"):
        with_linear(encoder, "onedn", TEXTS)
