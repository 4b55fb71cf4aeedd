"""Ablate every head and every layer of a tuned encoder and score its task."""

from pathlib import Path

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import thread_limit
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.kept import Kept
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.states import FINETUNED
from tuneprobe.studies.attention.ablation.spread import Tuned, kept_sweep, loaded
from tuneprobe.studies.attention.ablation.study import STUDY, study_ablation
from tuneprobe.tasks import get_task


def main(task: str) -> None:
    """Ablate the encoder that was tuned on TASK."""
    params, kind = load_params(), get_task(task).kind
    encoder, examples = params.encoder, read_examples(paths.examples(task))
    thread_limit(params.threads)
    source = params.encoder_source()
    if source["path"]:
        source["path"] = str(Path(source["path"]).absolute())
    tuned = Tuned(
        encoder,
        FINETUNED,
        params.seed,
        paths.checkpoint(encoder, task, FINETUNED).absolute(),
        tuple(source.items()),
        params.threads,
    )
    model, cache = tuned.sha256(), paths.resume_point(encoder, task, STUDY)
    rows = study_ablation(
        loaded(tuned, model),
        examples,
        task=task,
        kind=kind,
        state=FINETUNED,
        seed=params.seed,
        sweep=kept_sweep(tuned, model, cache=cache, workers=params.workers, backend=params.backend),
        **params.attention.ablate.model_dump(),
        **params.intervals.model_dump(),
    )
    with atomic_folder(paths.results(encoder, task, "ablate")) as folder:
        write_results(rows, folder / "heads.csv")
    Kept(cache).remove()


if __name__ == "__main__":
    run(main)
