"""Rank matched pairs against unmatched ones at every layer, and test what tuning changed."""

from typing import Any

from threadpoolctl import threadpool_limits

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import open_states
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.studies.pairwise.probe.foreign import foreign_anchors
from tuneprobe.studies.pairwise.probe.ranking import conditions
from tuneprobe.studies.pairwise.probe.results import pairwise_gaps, pairwise_results
from tuneprobe.studies.pairwise.probe.study import (
    example_table,
    pair_rows,
    rank_boundary,
    rank_pairs,
)
from tuneprobe.tuning.checkpoints import load_head

TRAINED_HEADS = {"pretrained": "frozen", "finetuned": "finetuned"}


def main(task: str, tuned_on: str) -> None:
    """Probe TASK in every state; the heads of the lens were trained on TUNED_ON."""
    params = load_params()
    threadpool_limits(params.threads)
    encoder, settings = params.encoder, params.pairwise
    examples = read_examples(paths.examples(task))
    states = open_states(encoder, task, examples)
    heads = {
        state: load_head(paths.checkpoint(encoder, tuned_on, trained))["span.weight"]
        for state, trained in TRAINED_HEADS.items()
    }
    asked = conditions(settings.similarities, settings.negatives, settings.views)
    foreign = foreign_anchors(
        examples, pair_rows(examples), n_anchors=settings.foreign_anchors, seed=params.seed
    )
    rankings = rank_pairs(states, examples, asked, {"other": foreign}).rankings
    rankings += rank_boundary(states, examples, **settings.boundary.model_dump(), lens_heads=heads)
    shared: dict[str, Any] = {
        "encoder": encoder,
        "seed": params.seed,
        **params.intervals.model_dump(),
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
    with atomic_folder(paths.results(encoder, task, "pairwise")) as folder:
        write_results(pairwise_results(rankings, **shared), folder / "layers.csv")
        write_results(gaps, folder / "gaps.csv")
        example_table(rankings).to_parquet(folder / "outcomes.parquet", index=False)


if __name__ == "__main__":
    run(main)
