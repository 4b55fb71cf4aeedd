"""The papers' grid on paper: core hours and disk of every kind of stage, from measured rates.

Five encoders, thirteen tasks (Natural Questions, five of labels, seven of GLUE) and some seeds. No
stage is run. What a word piece costs grows with the layers and the square of the width; the rates
are those of MiniLM-L6 on one core of docs/benchmarks.md, and can be given as measured elsewhere.

    python benchmarks/plan_grid.py --seeds 5 --tuned-per-second 1003 --read-per-second 2797
"""

from collections.abc import Iterator

import typer

ENCODERS = {  # layers, width
    "BERT-tiny": (2, 128),
    "BERT-mini": (4, 256),
    "BERT-small": (4, 512),
    "BERT-medium": (8, 512),
    "BERT-base": (12, 768),
}
MEASURED = 6 * 384**2  # layers times the square of the width of MiniLM-L6
NQ_EPOCH, NQ_READ = 0.5e9, 327e6  # word pieces of an epoch and of one evaluation, scale.md
NQ_SPANS = 0.6e6
LABELS = {  # examples that are trained and tested, mean word pieces of a text, texts
    "POS": (21_180, 27, 1_000),
    "DEP": (20_180, 27, 1_000),
    "PS-role": (4_739, 22, 3_000),
    "PS-fxn": (4_739, 22, 3_000),
    "TREC-50": (5_952, 12, 5_952),
}
GLUE = {  # training texts, test texts, mean word pieces
    "MNLI": (392_702, 9_815, 39),
    "QQP": (363_846, 40_430, 30),
    "QNLI": (104_743, 5_463, 51),
    "SST-2": (67_349, 872, 14),
    "STS-B": (5_749, 1_379, 31),
    "MRPC": (3_668, 1_725, 53),
    "RTE": (2_490, 277, 70),
}
LABEL_EPOCHS, GLUE_EPOCHS, NQ_EPOCHS = 3, 3, 2
GRID_SECONDS = 36.5 / 16_854 / 384  # of the papers' grid of classifiers, an example and a dimension
HULL_SECONDS = 272 / 16_854 / 128  # of the exhaustive loop with all labels in conflict, likewise
STATES = 3  # random, pre-trained, fine-tuned: the first two once, whatever the seeds


def costs(layers: int, width: int, seeds: int, tuned: float, read: float) -> Iterator[tuple]:
    """Kind of stage, seconds of one core, bytes on the disk."""
    scale = layers * width**2 / MEASURED
    weights = 4 * (30_522 * width + 12 * layers * width**2)
    states = seeds + STATES - 1
    glue = sum(texts * pieces for texts, _, pieces in GLUE.values()) * GLUE_EPOCHS
    labels = sum(texts * pieces for _, pieces, texts in LABELS.values()) * LABEL_EPOCHS
    tests = sum(texts * pieces for _, texts, pieces in GLUE.values())
    vectors = sum(examples for examples, _, _ in LABELS.values()) * (layers + 1)
    yield "finetune", seeds * NQ_EPOCHS * NQ_EPOCH * scale / tuned, seeds * weights
    yield (
        "finetune-texts, tuned and random + tuned",
        2 * seeds * glue * scale / tuned,
        2 * seeds * len(GLUE) * weights,
    )
    yield "finetune-labels", seeds * labels * scale / tuned, seeds * len(LABELS) * weights
    yield "evaluate", (seeds + 1) * NQ_READ * scale / read, 0
    yield "represent, pairs", 0, states * NQ_SPANS * (layers + 1) * width * 4
    yield (
        "represent, labels",
        states * labels / LABEL_EPOCHS * scale / read,
        states * vectors * width * 4,
    )
    yield "classify, the papers' grid", states * vectors * width * GRID_SECONDS, 0
    yield "geometry, at most", states * vectors * width * HULL_SECONDS, 0
    readings = 0.43 * layers * (heads(width) + 1)
    yield "ablate", seeds * tests * readings * scale / read, 0


def heads(width: int) -> int:
    """Of a BERT of this width."""
    return width // 64


def main(seeds: int = 5, tuned_per_second: float = 1003, read_per_second: float = 2797) -> None:
    """Print the plan as a markdown table."""
    rows: dict[str, list[float]] = {}
    disk: dict[str, float] = {}
    for layers, width in ENCODERS.values():
        for kind, seconds, size in costs(layers, width, seeds, tuned_per_second, read_per_second):
            rows.setdefault(kind, []).append(seconds / 3600)
            disk[kind] = disk.get(kind, 0) + size / 1e9
    typer.echo(f"| core hours, {seeds} seeds | {' | '.join(ENCODERS)} | all | disk, GB |")
    typer.echo("|---" * (len(ENCODERS) + 3) + "|")
    for kind, hours in [
        *rows.items(),
        ("all", [sum(one) for one in zip(*rows.values(), strict=True)]),
    ]:
        size = disk.get(kind, sum(disk.values()))
        cells = " | ".join(f"{one:,.0f}" for one in (*hours, sum(hours), size))
        typer.echo(f"| {kind} | {cells} |")


if __name__ == "__main__":
    typer.run(main)
