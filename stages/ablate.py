"""Ablate every head and every layer of a tuned encoder and score its task."""

from pathlib import Path

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import thread_limit
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.kept import Kept
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, TaskName, run, spread
from tuneprobe.states import FINETUNED
from tuneprobe.studies.attention.ablation.spread import Tuned, kept_sweep, loaded
from tuneprobe.studies.attention.ablation.study import STUDY, study_ablation


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Ablate ENCODER as it was tuned on TASK."""
    params, examples = load_params(), read_examples(paths.examples(task))
    thread_limit(params.threads)
    source = params.encoder_settings(encoder)
    if source["path"]:
        source["path"] = str(Path(source["path"]).absolute())
    tuned = Tuned(
        encoder,
        FINETUNED,
        seed,
        paths.checkpoint(encoder, task, FINETUNED, seed).absolute(),
        tuple(source.items()),
        params.threads,
    )
    model, cache = tuned.sha256(), paths.resume_point(encoder, task, STUDY, seed)
    rows = study_ablation(
        loaded(tuned, model),
        examples,
        task=task,
        kind=params.task(task).kind,
        state=FINETUNED,
        seed=seed,
        sweep=kept_sweep(tuned, model, cache=cache, **spread()),
        **params.attention.ablate.model_dump(),
        **params.intervals.model_dump(),
    )
    with atomic_folder(paths.results(encoder, task, "ablate", seed)) as folder:
        write_results(rows, folder / "heads.csv")
    Kept(cache).remove()


if __name__ == "__main__":
    run(main)
