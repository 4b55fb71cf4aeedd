"""Score the labels, or scores, that every state answers, beside the majority baseline."""

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import thread_limit
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.scores.label_baselines import baseline_answers
from tuneprobe.scores.label_scores import (
    STATES,
    UNTRAINED,
    gold_answers,
    load_labeller,
    prediction_table,
    read_answers,
    score_answers,
)
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import members, stamped


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Score every state of ENCODER on TASK; of the trained ones, those that were trained."""
    params = load_params()
    kind = params.task(task).kind
    thread_limit(params.threads)
    examples = read_examples(paths.examples(task))
    measured_states = members(STATES, seed, params.run.first_draw_beside(seed))
    gold, predicted = gold_answers(examples, kind), {}
    for name, state, its_seed in measured_states:
        checkpoint = paths.checkpoint(encoder, task, state, seed)
        if state not in UNTRAINED and not checkpoint.exists():
            continue
        labeller = load_labeller(
            encoder,
            examples,
            **params.encoder_settings(encoder),
            kind=kind,
            state=state,
            seed=its_seed,
            checkpoint=checkpoint,
        )
        predicted[name] = read_answers(labeller, examples, params.represent.tokens_per_batch)
    rows = score_answers(
        gold,
        predicted,
        encoder=encoder,
        task=task,
        kind=kind,
        seed=seed,
        **params.intervals.model_dump(),
        baselines=baseline_answers(examples, kind, seed),
    )
    table = prediction_table(gold, predicted)
    with atomic_folder(paths.results(encoder, task, "evaluate", seed)) as folder:
        write_results(stamped(rows, measured_states), folder / "scores.csv")
        table.to_parquet(folder / "predictions.parquet", index=False)


if __name__ == "__main__":
    run(main)
