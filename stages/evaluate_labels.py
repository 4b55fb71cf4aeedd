"""Score the labels, or scores, that every state answers, beside the majority baseline."""

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import thread_limit
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.scores.label_scores import (
    STATES,
    UNTRAINED,
    gold_answers,
    load_labeller,
    prediction_table,
    read_answers,
    score_answers,
)
from tuneprobe.stage import run
from tuneprobe.tasks import get_task


def main(task: str) -> None:
    """Score every state of the encoder on TASK; of the trained ones, those that were trained."""
    params, kind = load_params(), get_task(task).kind
    thread_limit(params.threads)
    encoder, examples = params.encoder, read_examples(paths.examples(task))
    gold, predicted = gold_answers(examples, kind), {}
    for state in STATES:
        checkpoint = paths.checkpoint(encoder, task, state)
        if state not in UNTRAINED and not checkpoint.exists():
            continue
        labeller = load_labeller(
            encoder,
            examples,
            **params.encoder_source(),
            kind=kind,
            state=state,
            seed=params.seed,
            checkpoint=checkpoint,
        )
        predicted[state] = read_answers(labeller, examples, params.represent.tokens_per_batch)
    rows = score_answers(gold, predicted, encoder=encoder, task=task, kind=kind, seed=params.seed)
    table = prediction_table(gold, predicted)
    with atomic_folder(paths.results(encoder, task, "evaluate")) as folder:
        write_results(rows, folder / "scores.csv")
        table.to_parquet(folder / "predictions.parquet", index=False)


if __name__ == "__main__":
    run(main)
