"""Heads: losses by hand, padding, initial weights."""

import math

import pytest
import torch

from tuneprobe.errors import UnknownNameError
from tuneprobe.tuning.heads import QAHead, make_head
from tuneprobe.tuning.windows import ANSWER_TYPES

DIM = 4


def batch(mask: list[list[int]], start: int = 0, end: int = 0, answer_type: int = 0):
    rows = len(mask)
    return {
        "attention_mask": torch.tensor(mask),
        "start": torch.full((rows,), start),
        "end": torch.full((rows,), end),
        "answer_type": torch.full((rows,), answer_type),
    }


def test_a_head_that_knows_nothing_loses_the_mean_of_three_entropies() -> None:
    head = QAHead(DIM)
    for weight in head.parameters():
        torch.nn.init.zeros_(weight)
    loss = head.loss(torch.randn(2, 3, DIM), batch([[1, 1, 1], [1, 1, 1]], start=1, end=2))
    assert loss.item() == pytest.approx((2 * math.log(3) + math.log(len(ANSWER_TYPES))) / 3)


def test_the_loss_is_worked_out_by_hand() -> None:
    head = QAHead(DIM)
    for weight in head.parameters():
        torch.nn.init.zeros_(weight)
    with torch.no_grad():
        head.span.weight[0, 0] = 1.0  # the start logit is the first feature
        head.answer_type.bias[3] = math.log(6)
    hidden = torch.zeros(1, 2, DIM)
    hidden[0, 1, 0] = math.log(3)  # start: probabilities 1/4 and 3/4
    loss = head.loss(hidden, batch([[1, 1]], start=1, end=0, answer_type=3))
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2) + math.log(10 / 6)) / 3)


def test_padding_has_no_probability_and_changes_no_loss() -> None:
    head = make_head("qa", DIM, seed=1)
    hidden = torch.randn(1, 5, DIM)
    padded = batch([[1, 1, 1, 0, 0]], start=1, end=2)
    logits = head(hidden, padded)
    for side in ("start", "end"):
        assert logits[side].softmax(dim=1)[0, 3:].tolist() == [0.0, 0.0]
    alone = head.loss(hidden[:, :3], batch([[1, 1, 1]], start=1, end=2))
    assert torch.equal(head.loss(hidden, padded), alone)


def test_the_type_is_read_from_cls_alone() -> None:
    head = make_head("qa", DIM, seed=1)
    hidden = torch.randn(1, 3, DIM)
    other = hidden.clone()
    other[:, 1:] += 1
    mask = batch([[1, 1, 1]])
    one, two = head(hidden, mask), head(other, mask)
    assert torch.equal(one["answer_type"], two["answer_type"])
    assert not torch.equal(one["start"], two["start"])


def test_an_untrained_head_depends_on_its_seed_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (make_head("qa", 64, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["span.weight"], other["span.weight"])
    assert first["answer_type.weight"].std().item() == pytest.approx(0.02, rel=0.2)
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_unknown_kind_of_head_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'qa'"):
        make_head("qaa", DIM, seed=1)


def test_a_classifier_reads_the_vectors_of_two_spans_side_by_side() -> None:
    head = make_head("label", DIM, seed=1, n_outputs=3, n_spans=2)
    hidden = torch.arange(2.0 * 3 * DIM).view(2, 3, DIM)
    weights = torch.zeros(4, 6)  # two examples of two spans, two texts of three pieces
    weights[0, 1] = 1.0
    weights[1, [1, 2]] = 0.5
    weights[2, 3] = weights[3, 5] = 1.0
    vectors = head.read(hidden, {"pool": weights.to_sparse()})
    assert vectors.shape == (2, 2 * DIM)
    assert torch.equal(vectors[0], torch.cat([hidden[0, 1], hidden[0, 1:].mean(dim=0)]))
    assert torch.equal(vectors[1], torch.cat([hidden[1, 0], hidden[1, 2]]))


def test_the_losses_of_classes_and_scores_are_worked_out_by_hand() -> None:
    vectors = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])
    label = make_head("label", DIM, seed=1, n_outputs=2, n_spans=1).eval()
    score = make_head("score", DIM, seed=1, n_outputs=1, n_spans=1).eval()
    with torch.no_grad():
        label.output.weight.copy_(torch.tensor([[math.log(3), 0, 0, 0], [0, 0, 0, 0]]))
        score.output.weight.copy_(torch.tensor([[2.0, 3, 0, 0]]))
        score.output.bias.fill_(0.5)
    classes = label.loss(vectors, {"target": torch.tensor([0, 1])})
    assert classes.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    scores = score.loss(vectors, {"target": torch.tensor([1.5, 3.0])})
    assert scores.item() == pytest.approx((1.0**2 + 0.5**2) / 2)


def test_a_classifier_drops_a_tenth_of_what_it_reads_in_training() -> None:
    head = make_head("label", DIM, seed=1, n_outputs=2, n_spans=1)
    vectors = torch.randn(100, DIM)
    torch.manual_seed(1)
    assert not torch.equal(head.train().logits(vectors), head.eval().logits(vectors))
    assert torch.equal(head.logits(vectors), head.output(vectors))
    assert head.dropout.p == 0.1


def test_joined_parts_are_what_was_split() -> None:
    hidden = torch.randn(2, 4, DIM)
    reader, mask = make_head("qa", DIM, seed=1), batch([[1, 1, 1, 1], [1, 1, 0, 0]])
    parts = reader.split(hidden, mask)
    assert [len(part) for part in parts] == [4, 2]
    joined = reader.join(parts)
    assert torch.equal(reader.loss(joined, mask), reader.loss(hidden, mask))
    label = make_head("label", DIM, seed=1, n_outputs=2, n_spans=1)
    vectors = torch.randn(5, DIM)
    parts = label.split(vectors, {"n_examples": torch.tensor([2, 3])})
    assert [len(part) for part in parts] == [2, 3]
    assert torch.equal(label.join(parts), vectors)
