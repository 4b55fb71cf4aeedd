"""Train the network that tells the pattern of an attention map, on drawn maps alone."""

from tuneprobe import paths
from tuneprobe.encoders.encoder import thread_limit
from tuneprobe.formats.results import significant
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.studies.attention.patterns.agreement import SCORES
from tuneprobe.studies.attention.patterns.network import (
    drawn_confusion,
    train_network,
    write_network,
)


def main() -> None:
    """Train, and record how it and the rule do on drawn maps that it did not see."""
    params = load_params()
    settings = params.attention.patterns
    thread_limit(params.threads)
    network = train_network(
        params.sampling_seed,
        maps=settings.maps,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
    )
    counts = drawn_confusion(network, params.sampling_seed, settings.held_out)
    write_network(
        paths.PATTERNS,
        network,
        **settings.model_dump(),
        seed=params.sampling_seed,
        caveat="scores on drawn maps say nothing about real maps: label a sheet",
        drawn_confusion={name: table.tolist() for name, table in counts.items()},
        drawn_scores={
            name: {score: significant(float(of(table))) for score, of in SCORES.items()}
            for name, table in counts.items()
        },
    )


if __name__ == "__main__":
    run(main)
