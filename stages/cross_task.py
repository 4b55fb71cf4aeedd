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
from tuneprobe.studies.geometry.classifiers.cross_task import STUDY, cross_spaces


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
    with (
        cross_spaces(
            {state: open_representations(folder, examples) for state, folder in folders.items()},
            example_table(examples),
            tuned_on=tuned_on,
            rtol=params.geometry.directprobe.rtol,
            classifier=params.geometry.classify.model_dump(),
            encoder=encoder,
            task=task,
            seed=seed,
            cache=paths.resume_point(encoder, task, STUDY, seed),
            **params.intervals.model_dump(),
            **spread(),
        ) as rows,
        atomic_folder(paths.results(encoder, task, STUDY, seed)) as folder,
    ):
        write_results(rows, folder / "layers.csv")


if __name__ == "__main__":
    run(main)
