"""Measures of attention maps: values by hand, the cropped definition, missing types."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tuneprobe.errors import UnknownNameError
from tuneprobe.studies.attention.maps.measures import (
    map_similarity,
    received,
    row_entropy,
    type_share,
)

HEADS, SEQ = 3, 7
LENGTHS = (7, 4, 2)
REAL = (torch.arange(SEQ) < torch.tensor(LENGTHS)[:, None]).float()


def padded_maps(seed: int) -> Tensor:
    """Random maps of texts of 7, 4 and 2 pieces; rows of padding are no zeros."""
    scores = torch.randn(3, HEADS, SEQ, SEQ, generator=torch.Generator().manual_seed(seed))
    return scores.masked_fill(REAL[:, None, None] == 0, -torch.inf).softmax(-1)


def cropped(maps: Tensor) -> list[np.ndarray]:
    return [maps[row, :, :size, :size].double().numpy() for row, size in enumerate(LENGTHS)]


def test_similarity_is_the_cosine_of_the_cropped_maps_flattened():
    one, two = padded_maps(0), padded_maps(1)
    found = map_similarity(one, two, REAL)
    for row, (left, right) in enumerate(zip(cropped(one), cropped(two), strict=True)):
        for head in range(HEADS):
            a, b = left[head].ravel(), right[head].ravel()
            cosine = a @ b / np.sqrt((a @ a) * (b @ b))
            assert found[row, head].item() == pytest.approx(cosine, abs=1e-6)


def test_a_map_has_similarity_1_with_itself_and_the_order_does_not_matter():
    one, two = padded_maps(0), padded_maps(1)
    torch.testing.assert_close(map_similarity(one, one, REAL), torch.ones(3, HEADS))
    assert torch.equal(map_similarity(one, two, REAL), map_similarity(two, one, REAL))


def test_similarity_by_hand():
    identity, even = torch.eye(2)[None, None], torch.full((1, 1, 2, 2), 0.5)
    found = map_similarity(identity, even, torch.ones(1, 2))
    assert found.item() == pytest.approx(1 / np.sqrt(2))


def test_rows_of_padding_count_for_similarity_only_where_asked():
    one, two = padded_maps(0), padded_maps(1)
    whole = map_similarity(one, two, torch.ones(3, SEQ))
    a, b = (maps[2, 0].flatten().double().numpy() for maps in (one, two))
    assert whole[2, 0].item() == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)), abs=1e-6)
    assert not torch.allclose(whole[2], map_similarity(one, two, REAL)[2])


def test_entropy_is_the_mean_of_the_real_rows_in_nats():
    maps = padded_maps(0)
    expected = [-(each * np.log(each)).sum(-1).mean(-1) for each in cropped(maps)]
    np.testing.assert_allclose(row_entropy(maps, REAL), expected, atol=1e-6)


def test_entropy_of_even_attention_is_the_log_of_the_pieces_and_of_a_single_peak_nought():
    even, peak = torch.full((1, 1, 5, 5), 0.2), torch.eye(5)[None, None]
    assert row_entropy(even, torch.ones(1, 5)).item() == pytest.approx(np.log(5))
    assert row_entropy(peak, torch.ones(1, 5)).item() == 0


@pytest.mark.parametrize(("rows", "aggregate"), [("mean", np.mean), ("max", np.max)])
def test_a_piece_receives_the_mean_or_the_maximum_of_its_real_rows(rows, aggregate):
    maps = padded_maps(0)
    found = received(maps, REAL, rows)
    for row, each in enumerate(cropped(maps)):
        expected = aggregate(each, axis=1)
        np.testing.assert_allclose(found[row, :, : LENGTHS[row]], expected, atol=1e-6)
        assert not found[row, :, LENGTHS[row] :].any()


@pytest.mark.parametrize(("tokens", "expected"), [("max", 0.5), ("mean", 0.35), ("sum", 0.7)])
def test_a_type_gets_the_maximum_mean_or_sum_of_its_pieces(tokens, expected):
    columns = torch.tensor([[[0.3, 0.2, 0.5]]])
    types = torch.tensor([[[False, True, True], [False, False, False]]])
    share = type_share(columns, types, tokens)
    assert share.shape == (1, 1, 2)
    assert share[0, 0, 0].item() == pytest.approx(expected)
    assert share[0, 0, 1].isnan()


def test_unknown_aggregations_are_refused():
    with pytest.raises(UnknownNameError, match="aggregation of rows 'median'"):
        received(padded_maps(0), REAL, "median")
    with pytest.raises(UnknownNameError, match="aggregation of tokens 'first'"):
        type_share(torch.ones(1, 1, 2), torch.ones(1, 1, 2, dtype=torch.bool), "first")
