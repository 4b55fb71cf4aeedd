"""Small encoders with random weights, one of each family, without a tokenizer."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    RobertaConfig,
    RobertaModel,
)

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.formats.examples import WHOLE_TEXT
from tuneprobe.rng import rng
from tuneprobe.tuning.heads import LabelHead, make_head
from tuneprobe.tuning.labelled_texts import LabelledTexts

N_LAYERS, N_HEADS, DIM, VOCABULARY, PAD = 3, 4, 32, 60, 1
SHARED = {
    "vocab_size": VOCABULARY,
    "hidden_size": DIM,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": N_HEADS,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
    "pad_token_id": PAD,
}
DISTILBERT = {
    "vocab_size": VOCABULARY,
    "dim": DIM,
    "n_layers": N_LAYERS,
    "n_heads": N_HEADS,
    "hidden_dim": 48,
    "max_position_embeddings": 40,
    "pad_token_id": PAD,
}
FAMILIES = {
    "bert": lambda: BertModel(BertConfig(**SHARED), add_pooling_layer=False),
    "roberta": lambda: RobertaModel(
        RobertaConfig(**SHARED, type_vocab_size=1), add_pooling_layer=False
    ),
    "electra": lambda: ElectraModel(ElectraConfig(**SHARED, embedding_size=16)),
    "distilbert": lambda: DistilBertModel(DistilBertConfig(**DISTILBERT)),
}


def made_up_encoder(family: str, seed: int = 0) -> Encoder:
    """An encoder of 3 layers, 4 heads and 32 dimensions; biases and norms are drawn too.

    The deviation of 0.3, 15 times BERT's, keeps attention far from uniform.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = FAMILIES[family]()
        for name, weight in model.named_parameters():
            torch.nn.init.normal_(weight, mean=float(name.lower().endswith("norm.weight")), std=0.3)
    tokenizer = SimpleNamespace(pad_token_id=PAD, model_max_length=40)
    return Encoder(f"made-up-{family}", "random", model.eval(), tokenizer, "0" * 64)


def made_up_pieces(lengths: list[int], seed: int = 0) -> list[Pieces]:
    """Texts of some lengths, every piece between the first and the last a word of one segment."""
    draws = rng(seed, "made-up-pieces")
    return [
        Pieces(
            draws.integers(PAD + 1, VOCABULARY, size=length),
            np.repeat([0, 1], [length - length // 2, length // 2]),
            (np.arange(1, length), np.array([length])),
        )
        for length in lengths
    ]


def made_up_texts(
    encoder: Encoder, lengths: list[int], n_spans: int = 0, targets: np.ndarray | None = None
) -> LabelledTexts:
    """Texts of some lengths with one example each, the whole text; or two of `n_spans` spans."""
    if n_spans:
        spans = [[(0, 0, 1), (0, 0, n - 1), (0, n - 2, n - 1), (0, 0, 1)] for n in lengths]
    else:
        spans = [[(WHOLE_TEXT, 0, 0)] for _ in lengths]
    table = [(text, *span) for text, some in enumerate(spans) for span in some]
    span_ids = np.arange(len(table)).reshape(-1, max(1, n_spans))
    return LabelledTexts(
        encoder,
        made_up_pieces(lengths),
        pd.DataFrame(table, columns=["text", "segment", "start", "end"]),
        text=np.arange(len(lengths)),
        span_ids=span_ids,
        rows=np.split(np.arange(len(span_ids)), len(lengths)),
        targets=targets,
    )


def made_up_head(n_spans: int = 1, kind: str = "label", n_outputs: int = 3) -> LabelHead:
    """A head whose logits are of the size of a trained one's."""
    head = make_head(kind, DIM, seed=7, n_outputs=n_outputs, n_spans=n_spans).eval()
    torch.nn.init.normal_(head.output.weight, std=0.3, generator=torch.Generator().manual_seed(7))
    return head
