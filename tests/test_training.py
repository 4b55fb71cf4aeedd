"""Training: the used part of the vocabulary trains as the whole one would."""

from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_encoders import FAMILIES, made_up_encoder, made_up_head
from tiny_reader import DIM, simple_questions
from torch.nn.utils.rnn import pad_sequence

from tuneprobe.encoders.encoder import Encoder, load_encoder
from tuneprobe.tuning.heads import make_head
from tuneprobe.tuning.training import Float32Attention, Training, random_stream, used_pieces
from tuneprobe.tuning.windows import Windows, training_windows


@pytest.fixture
def encoder(source: Path) -> Encoder:
    return load_encoder("tiny", path=str(source))


def windows(encoder: Encoder) -> Windows:
    return training_windows(
        encoder, simple_questions(6), window=40, stride=8, max_question=6, null_keep=1.0, seed=1
    )


def trained(encoder: Encoder, pieces: torch.Tensor | None, rest_after: int = -1) -> torch.Tensor:
    """All word embeddings after four steps with a strong decay."""
    data, head = windows(encoder), make_head("qa", DIM, seed=1)
    training = Training(encoder, head, freeze=False, weight_decay=0.5, pieces=pieces)
    with training.running():
        for step in range(4):
            with random_stream(encoder.device, 1, step):
                loss = training.loss(data.batch(np.arange(len(data.lengths))))
            training.update(loss, 0.01, 1.0)
            if step == rest_after:
                with training.resting():
                    encoder.model(**data.encoder.tokenizer("tulips", return_tensors="pt"))
    return encoder.model.get_input_embeddings().weight.detach().clone()


def test_the_used_pieces_are_those_of_all_inputs_and_padding(encoder: Encoder) -> None:
    data = windows(encoder)
    every = data.batch(np.arange(len(data.lengths)))["input_ids"]
    assert len(set(data.lengths)) > 1
    assert used_pieces(data).tolist() == sorted(set(every.flatten().tolist()))


def test_padding_is_used_where_only_a_batch_of_other_inputs_has_it() -> None:
    class TwoLengths:
        lengths = np.array([4096, 4096, 8192])

        def batch(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
            texts = [torch.full((int(length),), 7) for length in self.lengths[rows]]
            return {"input_ids": pad_sequence(texts, batch_first=True, padding_value=0)}

    assert used_pieces(TwoLengths()).tolist() == [0, 7]


def test_training_the_used_pieces_is_training_all_of_them(source: Path) -> None:
    encoder = load_encoder("tiny", path=str(source))
    before = encoder.model.get_input_embeddings().weight.detach().clone()
    used = used_pieces(windows(encoder))
    unused = torch.tensor(sorted(set(range(len(before))) - set(used.tolist())))
    assert len(unused)
    cut = trained(encoder, used)
    whole = trained(load_encoder("tiny", path=str(source)), None)
    assert torch.allclose(cut, whole, atol=1e-6)
    assert torch.allclose(cut[unused], before[unused] * 0.995**4, atol=1e-7)


def test_a_rest_lets_any_word_be_read_and_changes_no_bit(source: Path) -> None:
    tuned = []
    for rest_after in (-1, 1):
        encoder = load_encoder("tiny", path=str(source))
        tuned.append(trained(encoder, used_pieces(windows(encoder)), rest_after))
    assert torch.equal(*tuned)


def test_the_encoder_has_its_own_embedding_back_after_a_failure(encoder: Encoder) -> None:
    own = encoder.model.get_input_embeddings()
    pieces, head = used_pieces(windows(encoder)), make_head("qa", DIM, seed=1)
    training = Training(encoder, head, freeze=False, weight_decay=0.0, pieces=pieces)
    with training.running():
        assert encoder.model.get_input_embeddings() is not own
    with pytest.raises(KeyboardInterrupt):
        _interrupted(training)
    assert encoder.model.get_input_embeddings() is own
    assert not any(module.training for module in encoder.model.modules())


def test_attention_is_computed_in_float32_and_goes_on_in_the_lower_precision() -> None:
    torch.manual_seed(1)
    attend = torch.nn.functional.scaled_dot_product_attention
    lower = torch.randn(3, 2, 4, 9, 8).bfloat16()
    exact = attend(*lower.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = attend(*lower)
        with Float32Attention():
            found = attend(*lower)
            product = torch.nn.functional.linear(lower, lower[0, 0, 0])
    assert torch.equal(found, exact.bfloat16())
    assert not torch.equal(found, rough)
    assert product.dtype == torch.bfloat16


def _interrupted(training: Training) -> None:
    with training.running():
        raise KeyboardInterrupt


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dropped", [False, True])
def test_attention_weights_are_dropped_where_asked_for_alone(family: str, dropped: bool) -> None:
    encoder, head = made_up_encoder(family), made_up_head()
    training = Training(encoder, head, freeze=False, weight_decay=0.0, attention_dropout=dropped)
    asking = [m for m in encoder.model.modules() if hasattr(m, "query") or hasattr(m, "q_lin")]
    assert len(asking) == encoder.n_layers
    with training.running():
        assert [module.training for module in asking] == [dropped] * encoder.n_layers
        assert sum(m.training for m in encoder.model.modules()) > len(asking)
