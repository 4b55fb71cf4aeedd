"""Rank matched pairs against unmatched ones at every layer, and test what tuning changed."""

from typing import Any

from threadpoolctl import threadpool_limits

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder, write_json
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import READ_FROM, open_members
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import STATES, members, stamped
from tuneprobe.studies.pairwise.probe.ranking import conditions
from tuneprobe.studies.pairwise.probe.results import pairwise_gaps, pairwise_results
from tuneprobe.studies.pairwise.probe.study import example_table, rank_boundary, rank_pairs
from tuneprobe.tuning.checkpoints import load_head

TRAINED_HEADS = {"pretrained": "frozen", "finetuned": "finetuned"}


def main(encoder: EncoderName, task: TaskName, seed: Seed) -> None:
    """Probe the pairs of TASK; the heads of the lens were trained on its questions."""
    params = load_params()
    threadpool_limits(params.threads)
    settings, probed = params.pairwise, paths.pairs(task)
    examples = read_examples(paths.examples(probed))
    measured_states = members(STATES, seed, params.run.draws_beside(seed))
    states = open_members(encoder, probed, examples, measured_states)
    heads = {
        state: load_head(paths.checkpoint(encoder, paths.questions(task), trained, seed))[
            "span.weight"
        ]
        for state, trained in TRAINED_HEADS.items()
    }
    rankings = rank_pairs(
        states,
        examples,
        conditions(settings.similarities, settings.negatives, settings.centred),
    ) + rank_boundary(states, examples, **settings.boundary.model_dump(), lens_heads=heads)
    shared: dict[str, Any] = {
        "encoder": encoder,
        "seed": seed,
        "confidence": settings.confidence,
        "bootstrap": settings.bootstrap,
    }
    gaps = pairwise_gaps(
        rankings,
        after="finetuned",
        before="pretrained",
        layer_mark=settings.layer_mark,
        permutations=settings.permutations,
        margin=settings.equivalence_margin,
        **shared,
    )
    with atomic_folder(paths.results(encoder, probed, "pairwise", seed)) as folder:
        rows = pairwise_results(rankings, **shared)
        write_results(stamped(rows, measured_states), folder / "layers.csv")
        write_results(gaps, folder / "gaps.csv")
        write_json(folder / READ_FROM, {str(found.folder): found.meta for found in states.values()})
        example_table(rankings).to_parquet(folder / "outcomes.parquet", index=False)


if __name__ == "__main__":
    run(main)
