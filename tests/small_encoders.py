"""Small encoders of four architectures with random weights, and texts of made-up piece ids."""

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import PreTokenizer, WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.pieces import Pieces, layout_pieces
from tuneprobe.rng import rng

LAYERS, HEADS, DIM, VOCABULARY = 3, 4, 16, 60
FIRST_WORD = 4  # ids below are [UNK], padding, [CLS] and [SEP]
SIZES: dict[str, Any] = {
    "hidden_size": DIM,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 2 * DIM,
}
DISTIL_SIZES: dict[str, Any] = {
    "dim": DIM,
    "n_layers": LAYERS,
    "n_heads": HEADS,
    "hidden_dim": 2 * DIM,
}
ARCHITECTURES: dict[str, Any] = {
    "bert": lambda: BertModel(BertConfig(**COMMON, **SIZES)),
    "roberta": lambda: RobertaModel(RobertaConfig(**COMMON, **SIZES, type_vocab_size=1)),
    "electra": lambda: ElectraModel(ElectraConfig(**COMMON, **SIZES, embedding_size=8)),
    "distilbert": lambda: DistilBertModel(DistilBertConfig(**COMMON, **DISTIL_SIZES)),
}
COMMON = {
    "vocab_size": VOCABULARY,
    "pad_token_id": 1,
    "max_position_embeddings": 132,
    "initializer_range": 0.5,  # so that the heads differ
    "attn_implementation": "eager",
}


def small_tokenizer(words: Sequence[str], split: PreTokenizer) -> Any:
    """A tokenizer that knows some words; [UNK], padding, [CLS] and [SEP] come first."""
    pieces = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", *words]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    backend = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = split
    backend.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "cls", "sep")}
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=128, **names)


TOKENIZER = small_tokenizer([f"w{n}" for n in range(FIRST_WORD, VOCABULARY)], WhitespaceSplit())


def small_encoder(architecture: str, state: str = "pretrained", seed: int = 0) -> Encoder:
    """An encoder of 3 layers and 4 heads, weights drawn under `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ARCHITECTURES[architecture]().eval()
    return Encoder(architecture, state, model, TOKENIZER, f"{architecture}-{seed}")


def made_up_pieces(*lengths: tuple[int, int]) -> list[Pieces]:
    """Texts of as many one-piece words in the first and in the second segment."""
    draw = rng(0, "made-up-pieces")
    return [
        layout_pieces(
            TOKENIZER,
            *([[int(word)] for word in draw.integers(FIRST_WORD, VOCABULARY, n)] for n in pair),
        )
        for pair in lengths
    ]


def little_memory(module: nn.Module, most: int) -> Any:
    """Let a module run out of memory when it reads more than `most` tokens; undone by `remove`."""

    def refuse(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        rows, seq = (args[0] if args else named["input_ids"]).shape[:2]
        if rows * seq > most:
            raise torch.OutOfMemoryError

    return module.register_forward_pre_hook(refuse, with_kwargs=True)
