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
from tuneprobe.states import FINETUNED, FROZEN, PRETRAINED, STATES, members, stamped
from tuneprobe.studies.pairwise.probe.results import axis_rows, pairwise_gaps, pairwise_results
from tuneprobe.studies.pairwise.probe.study import example_table, rank_probes
from tuneprobe.tuning.checkpoints import load_head

TRAINED_HEADS = {PRETRAINED: FROZEN, FINETUNED: FINETUNED}


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
    rankings, axis_share = rank_probes(
        states,
        examples,
        similarities=settings.similarities,
        negatives=settings.negatives,
        views=settings.views,
        foreign_anchors=settings.foreign_anchors,
        type_anchors=settings.type_anchors,
        boundary=settings.boundary.model_dump(),
        lens_heads=heads,
        seed=params.sampling_seed,
    )
    keys: dict[str, Any] = {"encoder": encoder, "seed": seed}
    rows = pairwise_results(rankings, **keys, **params.intervals.model_dump())
    gaps = pairwise_gaps(
        rankings,
        after=FINETUNED,
        before=PRETRAINED,
        layer_mark=settings.layer_mark,
        permutations=settings.permutations,
        margin=settings.equivalence_margin,
        **keys,
        **params.intervals.model_dump(),
    )
    with atomic_folder(paths.results(encoder, probed, "pairwise", seed)) as folder:
        rows += axis_rows(axis_share, **keys)
        write_results(stamped(rows, measured_states), folder / "layers.csv")
        write_results(gaps, folder / "gaps.csv")
        write_json(folder / READ_FROM, {str(found.folder): found.meta for found in states.values()})
        example_table(rankings).to_parquet(folder / "outcomes.parquet", index=False)


if __name__ == "__main__":
    run(main)
