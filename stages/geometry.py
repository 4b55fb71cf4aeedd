"""Cluster every layer of every state as DirectProbe does, and measure how far labels are apart."""

from typing import Any

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import open_members
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import EncoderName, Seed, TaskName, run, spread
from tuneprobe.states import STATES, members, stamped
from tuneprobe.studies.geometry.directprobe.study import (
    DISTANCES,
    STUDY,
    layer_geometry,
    write_directprobe_texts,
)
from tuneprobe.units import NUMBERS, chosen, layer_units, measured, result_rows


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Probe TASK in every state of ENCODER; the first seed has the random weights beside it."""
    params = load_params()
    settings = params.geometry.directprobe.model_dump()
    nearest, at_most = settings.pop("nearest"), settings.pop("max_nearest")
    examples = read_examples(paths.examples(task))
    measured_states = members(STATES, seed, params.run.first_draw_beside(seed))
    states = open_members(encoder, task, examples, measured_states)

    def arguments(layer: int, n_layers: int) -> dict[str, Any]:
        max_nearest = at_most if chosen(nearest, layer, n_layers) else 0
        return {**settings, "max_nearest": max_nearest, "seed": seed}

    units = layer_units(states, arguments)
    cache = paths.resume_point(encoder, task, STUDY, seed)
    with (
        measured(
            layer_geometry,
            units,
            example_table(examples),
            cache=cache,
            **spread(),
        ) as found,
        atomic_folder(paths.results(encoder, task, STUDY, seed)) as folder,
    ):
        rows = result_rows(found[NUMBERS], study=STUDY, encoder=encoder, task=task, seed=seed)
        write_results(stamped(rows, measured_states), folder / "layers.csv")
        found["distances"].to_parquet(folder / DISTANCES, index=False)
        if "directprobe" in found:
            write_directprobe_texts(found["directprobe"], folder / "directprobe")


if __name__ == "__main__":
    run(main)
