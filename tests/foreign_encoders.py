"""Folders of small encoders as strangers publish them, each with one thing that is out of order."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tiny_reader import write_tiny_bert
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    AutoModel,
    BertTokenizerFast,
    CanineConfig,
    GPT2Config,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    SqueezeBertConfig,
    T5Config,
)

SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
WORDS = "the old red kite flew by ann lee in town and ##s s .".split()
SPECIAL = "[PAD] [UNK] [CLS] [SEP] [MASK]".split()
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90\n"
BYTE_LEVEL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(ByteLevel.alphabet())]
MERGES = [("c", "a"), ("ca", "t"), ("Ġ", "cat"), ("k", "i"), ("Ġ", "ki")]


def write_json(path: Path, **changes: Any) -> None:
    """Write a JSON object, or change some keys of the one that is there; None removes a key."""
    found = json.loads(path.read_text()) if path.exists() else {}
    found |= changes
    kept = {key: value for key, value in found.items() if value is not None}
    path.write_text(json.dumps(kept))


def write_model(folder: Path, config: Any, seed: int = 0) -> Path:
    """A model with random weights; large ones, so that attention is far from uniform."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModel.from_config(config)
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "embedding" not in name:
                torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    return folder


def write_word_pieces(folder: Path, *words: str, **settings: Any) -> Path:
    """A tokenizer of word pieces, [CLS] text [SEP]."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *(words or WORDS)]))
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=40, **settings).save_pretrained(
        folder
    )
    return folder


def write_byte_level(folder: Path) -> int:
    """The files of RoBERTa's kind of tokenizer; the size of its vocabulary."""
    pieces = [*BYTE_LEVEL, *map("".join, MERGES)]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    merged = "\n".join(["#version: 0.2", *map(" ".join, MERGES)])
    (folder / "merges.txt").write_text(merged)
    return len(pieces)


def lfs_weights(folder: Path) -> None:
    """Weights that were cloned without Git LFS."""
    write_tiny_bert(folder)
    (folder / "model.safetensors").write_text(POINTER)


def lfs_tokenizer(folder: Path) -> None:
    """A tokenizer that was cloned without Git LFS."""
    write_tiny_bert(folder)
    (folder / "tokenizer.json").write_text(POINTER)


def sharded(folder: Path) -> None:
    """Weights in two files and an index."""
    write_tiny_bert(folder)
    shard(folder)


def shard(folder: Path) -> None:
    """Cut the weights of a folder into two files."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {f"model-0000{n + 1}-of-00002.safetensors": names[n::2] for n in range(2)}
    for file, some in parts.items():
        save_file({name: weights[name] for name in some}, folder / file, {"format": "pt"})
    index = {name: file for file, some in parts.items() for name in some}
    write_json(folder / "model.safetensors.index.json", metadata={}, weight_map=index)


def shard_outside(folder: Path) -> None:
    """An index that names a file outside the folder."""
    sharded(folder)
    write_json(folder / "model.safetensors.index.json", weight_map={"a": "../model.safetensors"})


def shard_missing(folder: Path) -> None:
    """An index whose second file is missing."""
    sharded(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


def pickled(folder: Path) -> None:
    """Weights that would have to be unpickled."""
    write_tiny_bert(folder)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")


def own_code(folder: Path) -> None:
    """A model of a type that only the Python beside it knows; it writes a file when it is run."""
    write_tiny_bert(folder)
    add_code(folder)
    write_json(folder / "config.json", model_type="stranger")


def add_code(folder: Path) -> None:
    """Python beside the weights, which configuration and tokenizer ask to run."""
    code = f"from pathlib import Path\nPath({str(folder / 'ran')!r}).touch()\n"
    code += "from transformers import BertConfig as C, BertModel as M, BertTokenizerFast as T\n"
    (folder / "stranger.py").write_text(code)
    write_json(
        folder / "config.json", auto_map={"AutoConfig": "stranger.C", "AutoModel": "stranger.M"}
    )
    write_json(
        folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["stranger.T", "stranger.T"]}
    )


def own_code_beside_bert(folder: Path) -> None:
    """A BERT with Python beside it."""
    write_tiny_bert(folder)
    add_code(folder)


def foreign_kernel(folder: Path) -> None:
    """A configuration that wants an attention kernel of the hub."""
    write_tiny_bert(folder)
    write_json(
        folder / "config.json",
        _attn_implementation="strangers/kernel",
        attn_implementation="strangers/kernel",
        _attn_implementation_internal="flash_attention_2",
    )


def without_padding(folder: Path) -> None:
    """A tokenizer without [PAD]."""
    write_tiny_bert(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    (folder / "vocab.txt").unlink()
    tokenizer.save_pretrained(folder)
    write_json(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")


def more_pieces_than_rows(folder: Path) -> None:
    """A tokenizer with more pieces than the embedding has rows."""
    write_tiny_bert(folder)
    write_word_pieces(folder, *WORDS, *(f"more{n}" for n in range(99)))


def no_fast_tokenizer(folder: Path) -> None:
    """A tokenizer that exists in Python only."""
    config = CanineConfig(**SIZES, num_hash_buckets=16, max_position_embeddings=64)
    write_model(folder, config)
    write_json(folder / "tokenizer_config.json", tokenizer_class="CanineTokenizer")


def no_maximum(folder: Path) -> None:
    """A RoBERTa whose tokenizer does not say how much it reads."""
    size = write_byte_level(folder)
    config = RobertaConfig(
        **SIZES, vocab_size=size, max_position_embeddings=42, type_vocab_size=1, pad_token_id=1
    )
    write_model(folder, config)


def pooler_missing(folder: Path) -> None:
    """A family that always has a pooler, without weights for it."""
    config = SqueezeBertConfig(
        **SIZES, vocab_size=19, embedding_size=16, max_position_embeddings=40
    )
    write_word_pieces(write_model(folder, config))
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "pooler" not in name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def cased(folder: Path) -> None:
    """A cased vocabulary, and nothing that says so."""
    words = "the The kite Kite Oslo oslo Ann ann . ##s who old red".split()
    write_tiny_bert(folder)
    for file in folder.glob("*token*"):
        file.unlink()
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *words]))


def uncased_read_cased(folder: Path) -> None:
    """A vocabulary of small letters that is read with its capitals."""
    write_tiny_bert(folder)
    write_json(folder / "tokenizer_config.json", do_lower_case=False)


def decoder(folder: Path) -> None:
    """A model that reads from left to right."""
    write_model(folder, GPT2Config(vocab_size=19, n_embd=16, n_layer=2, n_head=2, n_positions=20))
    write_word_pieces(folder)


def encoder_decoder(folder: Path) -> None:
    """A model of two halves."""
    write_model(
        folder, T5Config(vocab_size=19, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
    )
    write_word_pieces(folder)


def modernbert(folder: Path) -> None:
    """Rotary embeddings and a sliding window: every layer takes other inputs."""
    config = ModernBertConfig(
        **SIZES | {"num_hidden_layers": 4},
        vocab_size=19,
        max_position_embeddings=64,
        local_attention=4,
        global_attn_every_n_layers=3,
        pad_token_id=0,
        cls_token_id=2,
        sep_token_id=3,
        bos_token_id=2,
        eos_token_id=3,
    )
    write_word_pieces(write_model(folder, config))


def mpnet(folder: Path) -> None:
    """A bias of relative position that all layers share, and eager attention alone."""
    config = MPNetConfig(**SIZES, vocab_size=19, max_position_embeddings=42, pad_token_id=1)
    write_word_pieces(write_model(folder, config))


Writer = Callable[[Path], None]
