"""Tiny encoders of many families with random weights, each with a tokenizer of its kind.

``python tests/encoder_families.py`` writes the table of docs/encoders.md from them.
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from foreign_encoders import SPECIAL, write_model
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import CONFIG_MAPPING, MODEL_MAPPING, PreTrainedTokenizerFast

from tuneprobe.encoder_check import NEEDED, Report, check_encoder

DOCS = Path(__file__).resolve().parent.parent / "docs" / "encoders.md"
BEGIN, END = "<!-- families -->\n", "<!-- end of families -->\n"
MEASURED = re.compile(r" \(layer \d+ changes by [^)]*\)")
ROWS = 128
SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "vocab_size": ROWS,
    "max_position_embeddings": 72,
}
TEXTS = (
    ("ann lee flew the old red kite in town .", ""),
    ("who flew ?", "the kite flew by the old town ."),
    ("kites", ""),
)
WORDS = "the old red kite kites flew by ann lee in town who ? .".split()
SENTENCE = "<s> <pad> </s> <unk> <mask>".split()


class Family(NamedTuple):
    """How a family's tiny model is made: its tokenizer, and what its configuration needs."""

    tokenizer: str = "word pieces"
    settings: dict[str, Any] | None = None


SLIDING = {"local_attention": 4, "global_attn_every_n_layers": 2}
RELATIVE = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "type_vocab_size": 0,
}
FAMILIES: dict[str, Family] = {
    "albert": Family("unigram", {"embedding_size": 8}),
    "bert": Family(),
    "bert-generation": Family(),
    "big_bird": Family("unigram", {"attention_type": "original_full"}),
    "camembert": Family("unigram"),
    "canine": Family(),
    "convbert": Family(settings={"embedding_size": 16}),
    "data2vec-text": Family("byte level"),
    "deberta": Family("byte level", RELATIVE | {"pos_att_type": ["c2p", "p2c"]}),
    "deberta-v2": Family("unigram", RELATIVE),
    "distilbert": Family(),
    "electra": Family(settings={"embedding_size": 8}),
    "ernie": Family(),
    "esm": Family(settings={"position_embedding_type": "rotary", "token_dropout": False}),
    "eurobert": Family("byte level"),
    "fnet": Family("unigram"),
    "funnel": Family(
        settings={"block_sizes": [1, 1], "num_hidden_layers": None, "d_head": 8, "d_inner": 24}
    ),
    "gpt2": Family("byte level"),
    "gte": Family(),
    "jina_embeddings_v3": Family("unigram"),
    "lilt": Family("byte level", {"hidden_size": 24}),
    "longformer": Family("byte level", {"attention_window": 4}),
    "luke": Family("byte level", {"entity_vocab_size": 4, "entity_emb_size": 8}),
    "megatron-bert": Family(),
    "mobilebert": Family(settings={"embedding_size": 8, "intra_bottleneck_size": 16}),
    "modernbert": Family("byte level", SLIDING),
    "mpnet": Family(),
    "mra": Family("byte level"),
    "nomic_bert": Family(),
    "nystromformer": Family("unigram", {"num_landmarks": 4, "segment_means_seq_len": 8}),
    "rembert": Family("unigram", {"input_embedding_size": 8}),
    "roberta": Family("byte level"),
    "roberta-prelayernorm": Family("byte level"),
    "roformer": Family(settings={"embedding_size": 16}),
    "splinter": Family(),
    "squeezebert": Family(settings={"embedding_size": 16}),
    "t5": Family("unigram", {"d_kv": 8, "d_ff": 24}),
    "xlm": Family(settings={"emb_dim": 16, "n_layers": 2, "n_heads": 2}),
    "xlm-roberta": Family("unigram"),
    "xlm-roberta-xl": Family("unigram"),
    "xlnet": Family(
        "unigram",
        {
            "hidden_size": None,
            "num_hidden_layers": None,
            "num_attention_heads": None,
            "max_position_embeddings": None,
            "d_model": 16,
            "n_layer": 2,
            "n_head": 2,
            "d_inner": 24,
        },
    ),
    "yoso": Family("unigram"),
}


def write_family(name: str, folder: Path) -> Path:
    """The files of a family's tiny encoder."""
    family = FAMILIES[name]
    pad, unknown, cls, sep = write_tokenizer(family.tokenizer, folder)
    special = {
        "pad_token_id": pad,
        "cls_token_id": cls,
        "bos_token_id": cls,
        "sep_token_id": sep,
        "eos_token_id": sep,
        "pad_index": pad,
        "unk_index": unknown,
    }
    settings = SIZES | special | (family.settings or {})
    kept = {name: value for name, value in settings.items() if value is not None}
    config = CONFIG_MAPPING[name](**kept)
    made = MODEL_MAPPING[type(config)]
    config.architectures = [(made[0] if isinstance(made, tuple) else made).__name__]
    write_model(folder, config)
    return folder


def write_tokenizer(kind: str, folder: Path) -> tuple[int, int, int, int]:
    """A fast tokenizer of a kind; the numbers of its padding, unknown, first and last piece."""
    names = SPECIAL if kind == "word pieces" else SENTENCE
    pad, unknown, cls, sep = (
        ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
        if kind == "word pieces"
        else ("<pad>", "<unk>", "<s>", "</s>")
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if kind == "word pieces":
        pieces = [*names, *WORDS]
        backend = Tokenizer(models.WordPiece(dict(_numbered(pieces)), unk_token=unknown))
        backend.normalizer = normalizers.BertNormalizer()
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    elif kind == "byte level":
        used = sorted({letter for word in WORDS for letter in word} & set(alphabet))
        pieces = [*names, *used, "Ġ", "ki", "Ġt", "Ġki"]
        backend = Tokenizer(
            models.BPE(dict(_numbered(pieces)), [("k", "i"), ("Ġ", "t"), ("Ġ", "ki")])
        )
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
    else:
        letters = sorted({letter for word in WORDS for letter in word})
        pieces = [*names, *(f"▁{word}" for word in WORDS if word not in "?."), "▁", *letters]
        scored = [(piece, -float(number)) for piece, number in _numbered(pieces)]
        backend = Tokenizer(models.Unigram(scored, unk_id=names.index(unknown)))
        backend.pre_tokenizer = pre_tokenizers.Metaspace()
    numbers = tuple(names.index(piece) for piece in (pad, unknown, cls, sep))
    double = f"{sep} {sep}" if kind == "byte level" else sep
    second = ":1" if kind == "word pieces" else ""
    backend.post_processor = TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {double} $B{second} {sep}{second}",
        special_tokens=[(cls, numbers[2]), (sep, numbers[3])],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=60,
        pad_token=pad,
        unk_token=unknown,
        cls_token=cls,
        sep_token=sep,
        mask_token=names[4],
    ).save_pretrained(folder)
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _numbered(pieces: list[str]) -> list[tuple[str, int]]:
    return [(piece, number) for number, piece in enumerate(pieces)]


def row(family: str, report: Report) -> str:
    """The row of a family in the table."""
    ways = {"attention, maps": "maps", "attention, ablation": "ablation"}
    cells = [
        (reason and "no") or report.way.get(ways.get(study, ""), "yes")
        for study, reason in report.studies.items()
    ]
    why = next((reason for reason in report.studies.values() if reason), "")
    why = why.replace("'tiny'", "it").replace("|", "\\|")
    why = MEASURED.sub("", why)  # differs between machines in the last bits
    return f"| {family} | {' | '.join(cells)} | {why} |\n"


def checked(family: str, folder: Path) -> Report:
    """What the check says of a family's tiny encoder."""
    return check_encoder("tiny", TEXTS, path=str(write_family(family, folder)))


def table(reports: dict[str, Report]) -> str:
    """The whole table."""
    head = f"| family | {' | '.join(NEEDED)} | why not |\n|{'---|' * (len(NEEDED) + 2)}\n"
    return head + "".join(row(family, report) for family, report in sorted(reports.items()))


def main() -> None:
    """Write the table into docs/encoders.md."""
    reports = {}
    for family in FAMILIES:
        with TemporaryDirectory() as folder:
            reports[family] = checked(family, Path(folder))
    before, rest = DOCS.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    DOCS.write_text(f"{before}{BEGIN}{table(reports)}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
