"""Ablate every head and every layer of a tuned encoder and score its task."""

from tuneprobe import paths
from tuneprobe.ablation_study import study_ablation
from tuneprobe.encoder import thread_limit
from tuneprobe.examples import read_examples
from tuneprobe.label_scores import load_labeller
from tuneprobe.params import load_params
from tuneprobe.results import write_results
from tuneprobe.stage import run
from tuneprobe.states import FINETUNED
from tuneprobe.tasks import get_task


def main(task: str) -> None:
    """Ablate the encoder that was tuned on TASK."""
    params, kind = load_params(), get_task(task).kind
    thread_limit(params.threads)
    encoder, examples = params.encoder, read_examples(paths.examples(task))
    labeller = load_labeller(
        encoder,
        examples,
        **params.encoder_source(),
        kind=kind,
        state=FINETUNED,
        seed=params.seed,
        checkpoint=paths.checkpoint(encoder, task, FINETUNED),
    )
    rows = study_ablation(
        labeller,
        examples,
        task=task,
        kind=kind,
        state=FINETUNED,
        seed=params.seed,
        **params.attention.ablate.model_dump(),
    )
    write_results(rows, paths.results(encoder, task, "ablate") / "heads.csv")


if __name__ == "__main__":
    run(main)
