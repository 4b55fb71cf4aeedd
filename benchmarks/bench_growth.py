"""How the cost of each path grows: processor time when one size doubles and the others stay.

Random encoders like MiniLM-L6 and made-up data, one thread. Prints a markdown row for each path and
size: seconds before and after, medians of runs that alternate, and how many times more. 2 is
linear, 4 quadratic. Where labels conflict, more points and dimensions also change which do.

    python benchmarks/bench_growth.py --runs 5
    python benchmarks/bench_growth.py --only ablation
"""

import time
from collections.abc import Callable
from statistics import median
from types import SimpleNamespace
from typing import Annotated, Any

import bench_ablation
import bench_attention
import bench_geometry
import bench_pairwise
import numpy as np
import torch
import typer
from transformers import BertConfig, BertModel

from tuneprobe.encoders.encoder import Encoder, pad_batch, thread_limit
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.rng import rng
from tuneprobe.studies.attention.ablation.sweep import ablation_sweep
from tuneprobe.studies.attention.maps.study import measure_heads
from tuneprobe.studies.attention.maps.token_types import TYPES
from tuneprobe.studies.geometry.classifiers.classifier import classify
from tuneprobe.studies.geometry.classifiers.networks import Regimen
from tuneprobe.studies.geometry.directprobe.clusters import cluster
from tuneprobe.studies.geometry.directprobe.distances import measure
from tuneprobe.studies.pairwise.probe.ranking import rank_matches
from tuneprobe.tuning.heads import make_head
from tuneprobe.tuning.training import Training, used_pieces

Job = Callable[[], Any]
REGIMEN = Regimen(max_epochs=8, patience=8)  # every network runs to the eighth epoch


def bert(layers: int = 6, dim: int = 384, heads: int = 12) -> Encoder:
    """A random BERT whose feed-forward layers are four times as wide as the others."""
    torch.manual_seed(0)
    shape = {"hidden_size": dim, "num_hidden_layers": layers, "num_attention_heads": heads}
    config = BertConfig(**shape, intermediate_size=4 * dim, attn_implementation="sdpa")
    tokenizer: Any = SimpleNamespace(pad_token_id=0, model_max_length=512)
    model = BertModel(config, add_pooling_layer=False).eval()
    return Encoder("bert", "random", model, tokenizer, "")


def texts_of(count: int, length: int) -> list[Pieces]:
    """Texts of equal length, so that nothing is padded."""
    draws, bounds = rng(0, "bench-growth"), (np.array([1]), np.array([length]))
    return [
        Pieces(draws.integers(1000, 20000, length), np.zeros(length, dtype=np.int64), bounds)
        for _ in range(count)
    ]


def encoding(texts: int, length: int, layers: int, dim: int) -> Job:
    """A forward pass that keeps all layers."""
    encoder = bert(layers, dim)
    batch = pad_batch(encoder, texts_of(texts, length))

    @torch.inference_mode()
    def job() -> None:
        encoder.model(**batch, output_hidden_states=True)

    return job


def tuning(texts: int, length: int, layers: int) -> Job:
    """A step of a training of encoder and head."""
    encoder, head = bert(layers), make_head("label", 384, 0, n_outputs=2, n_spans=1)
    data = bench_ablation.made_up_texts(encoder, texts, (length, length))
    settings: dict[str, Any] = {"freeze": False, "weight_decay": 0.01, "pieces": used_pieces(data)}
    training = Training(encoder, head, **settings)
    batch = data.batch(np.arange(texts)) | {"target": torch.zeros(texts, dtype=torch.int64)}

    def job() -> None:
        with training.running():
            training.update(training.loss(batch), 1e-5, 1.0)

    return job


def ranking(examples: int, dim: int) -> Job:
    """Pairwise ranking under four conditions."""
    pairs = bench_pairwise.synthetic(examples)
    rows = examples * (bench_pairwise.LENGTH + 1)
    X = np.random.default_rng(7).standard_normal((rows, dim), dtype=np.float32)
    return lambda: rank_matches(X, pairs, bench_pairwise.CONDITIONS)


def classifying(examples: int, dim: int, labels: int, networks: int) -> Job:
    """A grid of classifier probes, eight epochs each, and the best of them once more."""
    X, y = bench_geometry.tokens(examples, dim, labels, *bench_geometry.KINDS["conflicting"])
    decays = list(np.geomspace(1e-7, 1.0, networks))
    grid: dict[str, Any] = {"hidden": [(64, 64)], "decays": decays, "initialisations": 1}
    return lambda: classify(X, y, X, y, **grid, regimen=REGIMEN)


def clustering(kind: str) -> Callable[..., Job]:
    """DirectProbe; with the distances of hulls where labels are separable."""

    def path(points: int, dim: int, labels: int) -> Job:
        X, y = bench_geometry.tokens(points, dim, labels, *bench_geometry.KINDS[kind])

        def job() -> None:
            found = cluster(X, y)
            if kind == "linear":
                assert found.is_linear
                measure(X, found, rtol=1e-3)

        return job

    return path


def maps(texts: int, length: int, layers: int) -> Job:
    """Statistics of the attention maps of two encoders."""
    encoders = {state: bert(layers) for state in bench_attention.STATES}
    pieces = texts_of(texts, length)
    types = [np.ones((len(TYPES), length), dtype=bool)] * texts
    return lambda: measure_heads(encoders, pieces, types)


def ablating(texts: int, length: int, layers: int, heads: int) -> Job:
    """The ablation of every head and every layer."""
    encoder = bert(layers, heads=heads)
    data = bench_ablation.made_up_texts(encoder, texts, (length, length))
    head = bench_ablation.made_up_head(encoder.dim)
    return lambda: ablation_sweep(head, data)


PATHS: dict[str, tuple[Callable[..., Job], dict[str, int]]] = {
    "encoding": (encoding, {"texts": 16, "length": 128, "layers": 6, "dim": 384}),
    "fine-tuning step": (tuning, {"texts": 8, "length": 128, "layers": 6}),
    "pairwise": (ranking, {"examples": 500, "dim": 384}),
    "classify": (classifying, {"examples": 2000, "dim": 192, "labels": 16, "networks": 32}),
    "geometry, separable": (clustering("linear"), {"points": 1000, "dim": 384, "labels": 16}),
    "geometry, conflicting": (clustering("conflicting"), {"points": 800, "dim": 64, "labels": 8}),
    "attention maps": (maps, {"texts": 16, "length": 64, "layers": 6}),
    "ablation": (ablating, {"texts": 8, "length": 32, "layers": 6, "heads": 12}),
}


def main(runs: int = 5, only: Annotated[list[str] | None, typer.Option()] = None) -> None:
    """Double one size after the other."""
    thread_limit(1)
    typer.echo("| path | at | s | twice the | s | times |")
    typer.echo("|---|---|---|---|---|---|")
    for name, (path, sizes) in PATHS.items():
        if only and name not in only:
            continue
        at = ", ".join(f"{size:,} {what}" for what, size in sizes.items())
        for what, size in sizes.items():
            jobs = [path(**sizes), path(**{**sizes, what: 2 * size})]
            before, after = medians(jobs, runs)
            typer.echo(
                f"| {name} | {at} | {before:.3f} | {what} | {after:.3f} | {after / before:.1f} |"
            )


def medians(jobs: list[Job], runs: int) -> list[float]:
    """Processor seconds of each job, after a run that does not count."""
    times: list[list[float]] = [[] for _ in jobs]
    for run in range(runs + 1):
        for job, seconds in zip(jobs, times, strict=True):
            start = time.process_time()
            job()
            if run:
                seconds.append(time.process_time() - start)
    return [median(seconds) for seconds in times]


if __name__ == "__main__":
    typer.run(main)
