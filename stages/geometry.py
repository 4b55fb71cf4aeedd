"""Cluster every layer of every state as DirectProbe does, and measure how far labels are apart."""

from typing import Any

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import open_states
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import run
from tuneprobe.studies.geometry.directprobe.study import (
    DISTANCES,
    STUDY,
    layer_geometry,
    write_directprobe_texts,
)
from tuneprobe.units import NUMBERS, chosen, layer_units, measured, result_rows


def main(task: str) -> None:
    """Probe TASK in every state."""
    params = load_params()
    encoder, settings = params.encoder, params.geometry.directprobe.model_dump()
    nearest, at_most = settings.pop("nearest"), settings.pop("max_nearest")
    examples = read_examples(paths.examples(task))
    states = open_states(encoder, task, examples)

    def arguments(layer: int, n_layers: int) -> dict[str, Any]:
        max_nearest = at_most if chosen(nearest, layer, n_layers) else 0
        return {**settings, "max_nearest": max_nearest, "seed": params.seed}

    units = layer_units(states, arguments)
    cache = paths.resume_point(encoder, task, STUDY)
    with (
        measured(
            layer_geometry,
            units,
            example_table(examples),
            cache=cache,
            workers=params.workers,
            backend=params.backend,
        ) as found,
        atomic_folder(paths.results(encoder, task, STUDY)) as folder,
    ):
        rows = result_rows(
            found[NUMBERS], study=STUDY, encoder=encoder, task=task, seed=params.seed
        )
        write_results(rows, folder / "layers.csv")
        found["distances"].to_parquet(folder / DISTANCES, index=False)
        if "directprobe" in found:
            write_directprobe_texts(found["directprobe"], folder / "directprobe")


if __name__ == "__main__":
    run(main)
