"""Score the answers of every state: Natural Questions metric, exact match and F1."""

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.encoders.encoder import thread_limit
from tuneprobe.examples.qa import drawn_questions, read_questions
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.scores.evaluate import evaluate_readers, load_readers
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import FINETUNED, FROZEN, STATES, members, stamped


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Score every state of ENCODER on the questions of TASK."""
    params = load_params()
    thread_limit(params.threads)
    asked, settings = paths.questions(task), params.evaluate.model_dump()
    measured_states = members(STATES, seed, params.run.first_draw_beside(seed))
    questions = drawn_questions(
        read_questions(paths.examples(asked), "test"),
        settings.pop("max_questions"),
        params.sampling_seed,
        asked,
    )
    readers = load_readers(
        encoder,
        **params.encoder_settings(encoder),
        measured=measured_states,
        frozen=paths.checkpoint(encoder, asked, FROZEN, seed),
        finetuned=paths.checkpoint(encoder, asked, FINETUNED, seed),
    )
    rows = evaluate_readers(
        readers,
        list(questions),
        task=asked,
        seed=seed,
        window=params.finetune.window,
        stride=params.finetune.stride,
        max_question=params.finetune.max_question,
        tokens_per_batch=params.represent.tokens_per_batch,
        **settings,
        **params.intervals.model_dump(),
    )
    with atomic_folder(paths.results(encoder, asked, "evaluate", seed)) as folder:
        write_results(stamped(rows, measured_states), folder / "scores.csv")


if __name__ == "__main__":
    run(main)
