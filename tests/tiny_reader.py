"""A random BERT of two layers and a few invented questions, for tests of reading."""

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from tuneprobe.formats.question import Annotation, Candidate, Question

WORDS = "who what where kite town river ann lee bob flew built in by the of red old . 1901 1950"
PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] tu ##lip ##s"
DIM, MAX_PIECES = 16, 48


def write_tiny_bert(folder: Path, seed: int = 0) -> Path:
    """A folder with a model, a tokenizer and nothing trained."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = [*PIECES.split(), *WORDS.split()]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=MAX_PIECES)
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=DIM,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=MAX_PIECES,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)
    return folder


def question(
    number: int,
    words: str,
    document: str,
    *annotations: Annotation,
    candidates: tuple[Candidate, ...] | None = None,
    split: str = "train",
) -> Question:
    """A question about a document that is its own only candidate."""
    document_words = tuple(document.split())
    return Question(
        id=f"q{number}",
        title=f"t{number}",
        words=tuple(words.split()),
        document=document_words,
        candidates=candidates or (Candidate(0, len(document_words)),),
        annotations=annotations,
        split=split,
    )


def short(start: int, end: int) -> Annotation:
    """An annotator who marks the only candidate and one short span."""
    return Annotation(long=0, shorts=((start, end),))


def simple_questions(n: int, split: str = "train") -> list[Question]:
    """Questions whose answer is the two words behind ``by``, at varying places."""
    things, doers = ("kite", "town", "river"), ("ann lee", "bob lee", "bob ann")
    found = []
    for number in range(n):
        padding = " the old red kite flew ." * (number % 4)
        text = f"the {things[number % 3]} built by {doers[number % 2]} in 1901 .{padding}"
        asked = f"who built the {things[number % 3]}"
        found.append(question(number, asked, text, short(4, 6), split=split))
    return found
