"""Probe one task in the last layer of encoders that were tuned on it, on others, or not at all."""

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import open_representations
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.spaces import example_table
from tuneprobe.stage import EncoderName, Seed, TaskName, run, spread
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.studies.geometry.classifiers.cross_task import STUDY, cross_results, layer_labels
from tuneprobe.units import NUMBERS, chosen, layer_units, measured


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Probe TASK in ENCODER before tuning, tuned on TASK, and tuned on others."""
    params = load_params()
    examples = read_examples(paths.examples(task))
    folders = {
        state: paths.representation(encoder, task, state, seed) for state in (PRETRAINED, FINETUNED)
    }
    tuned_on = {}
    for other in params.geometry.cross.tuned_on:
        folder = paths.cross_representation(encoder, task, other, seed)
        folders[folder.name], tuned_on[folder.name] = folder, other
    states = {state: open_representations(folder, examples) for state, folder in folders.items()}
    classifier = params.geometry.classify.model_dump() | {"controls": False, "codelength": False}
    settings = {
        "rtol": params.geometry.directprobe.rtol,
        "classifier": {**classifier, **params.intervals.model_dump(), "seed": seed},
    }
    units = [
        unit
        for unit in layer_units(states, lambda *_: settings)
        if chosen("last", unit.layer, unit.representations.n_layers)
    ]
    cache = paths.resume_point(encoder, task, STUDY, seed)
    with (
        measured(
            layer_labels,
            units,
            example_table(examples),
            cache=cache,
            **spread(),
        ) as found,
        atomic_folder(paths.results(encoder, task, STUDY, seed)) as folder,
    ):
        rows = cross_results(
            found[NUMBERS],
            before=PRETRAINED,
            tuned_on=tuned_on,
            encoder=encoder,
            task=task,
            seed=seed,
            level=params.intervals.confidence,
        )
        write_results(rows, folder / "layers.csv")


if __name__ == "__main__":
    run(main)
