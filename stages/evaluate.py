"""Score the answers of every state: Natural Questions metric, exact match and F1."""

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import thread_limit
from tuneprobe.examples.qa import read_questions
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.scores.evaluate import evaluate_readers, load_readers
from tuneprobe.stage import run
from tuneprobe.states import FINETUNED, FROZEN


def main(task: str) -> None:
    """Score every state of the encoder on TASK."""
    params = load_params()
    thread_limit(params.threads)
    encoder = params.encoder
    questions = list(read_questions(paths.examples(task), "test"))
    readers = load_readers(
        encoder,
        **params.encoder_source(),
        seed=params.seed,
        frozen=paths.checkpoint(encoder, task, FROZEN),
        finetuned=paths.checkpoint(encoder, task, FINETUNED),
    )
    rows = [
        row
        for reader in readers
        for row in evaluate_readers(
            *reader,
            questions,
            task=task,
            seed=params.seed,
            window=params.finetune.window,
            stride=params.finetune.stride,
            max_question=params.finetune.max_question,
            tokens_per_batch=params.represent.tokens_per_batch,
            **params.evaluate.model_dump(),
        )
    ]
    with atomic_folder(paths.results(encoder, task, "evaluate")) as folder:
        write_results(rows, folder / "scores.csv")


if __name__ == "__main__":
    run(main)
