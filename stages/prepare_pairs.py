"""Find the pairs of the five probes in a reading-comprehension corpus."""

from tuneprobe import paths
from tuneprobe.corpora.mrc import mrc_shards
from tuneprobe.examples.annotate import model_facts
from tuneprobe.examples.shards import prepared
from tuneprobe.formats.examples import write_examples
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.studies.pairwise.pairs import join_pairs, write_pairs_part
from tuneprobe.tasks import get_task


def main(name: str) -> None:
    """Write the examples of the task NAME, and how many each step kept."""
    params = load_params()
    task, settings = get_task(name), params.prepare.pairs
    with prepared(
        write_pairs_part,
        mrc_shards(task.corpus, paths.DATA.absolute()),
        cache=paths.parts(name),
        workers=params.workers,
        backend=params.backend,
        settings={
            "wordnet": str(paths.WORDNET.absolute()),
            "max_words": settings.max_words,
            "synonyms": settings.synonyms.model_dump(),
            "abbreviation": settings.abbreviation.model_dump(),
            "coreference": settings.coreference.model_dump(),
        },
        inputs=[model_facts(), *sorted(paths.WORDNET.glob("index.*"))],
    ) as parts:
        examples, funnel = join_pairs(
            parts,
            seed=params.seed,
            per_probe=settings.per_probe,
            boundary_train=settings.boundary.train,
            boundary_test=settings.boundary.test,
        )
        write_examples(
            examples,
            paths.examples(name),
            {"funnel.csv": funnel.frame()},
            **task.provenance,
        )


if __name__ == "__main__":
    run(main)
