"""Rank matched pairs against unmatched ones at every layer, and test what tuning changed."""

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tuneprobe import paths
from tuneprobe.artifacts import atomic_folder, write_json
from tuneprobe.formats.examples import read_examples
from tuneprobe.formats.representations import READ_FROM, open_members
from tuneprobe.formats.results import write_results
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, Seed, TaskName, run
from tuneprobe.states import STATES, members, stamped
from tuneprobe.studies.pairwise.probe.foreign import OTHER_WORD, SAME_WORD, foreign_sets
from tuneprobe.studies.pairwise.probe.ranking import Condition, conditions
from tuneprobe.studies.pairwise.probe.results import axis_rows, pairwise_gaps, pairwise_results
from tuneprobe.studies.pairwise.probe.study import (
    example_table,
    pair_rows,
    rank_boundary,
    rank_pairs,
    rank_surface,
    with_foreign,
)
from tuneprobe.tuning.checkpoints import load_head

ANSWER_TYPE = "answer-type"
PAPER = Condition("cosine", "words")
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
    asked = conditions(settings.similarities, settings.negatives, settings.views)
    others = foreign_sets(
        examples, pair_rows(examples), settings.foreign_anchors, params.sampling_seed
    )
    ranked = rank_pairs(states, examples, asked, others)
    typed = np.flatnonzero(examples.examples.label == ANSWER_TYPE)
    kinds = (SAME_WORD, OTHER_WORD)
    words = foreign_sets(examples, typed, settings.type_anchors, params.sampling_seed, kinds)
    of_types = rank_pairs(states, examples, [PAPER], words, typed)
    boundary = settings.boundary.model_dump()
    rankings = [
        *with_foreign(ranked.rankings, of_types.rankings),
        *rank_boundary(states, examples, **boundary, lens_heads=heads),
        *rank_surface(examples, **boundary),
    ]
    shared: dict[str, Any] = {
        "encoder": encoder,
        "seed": seed,
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
    with atomic_folder(paths.results(encoder, probed, "pairwise", seed)) as folder:
        axes = axis_rows(ranked.axis_share, encoder=encoder, seed=seed)
        rows = [*pairwise_results(rankings, **shared), *axes]
        write_results(stamped(rows, measured_states), folder / "layers.csv")
        write_results(gaps, folder / "gaps.csv")
        write_json(folder / READ_FROM, {str(found.folder): found.meta for found in states.values()})
        example_table(rankings).to_parquet(folder / "outcomes.parquet", index=False)


if __name__ == "__main__":
    run(main)
