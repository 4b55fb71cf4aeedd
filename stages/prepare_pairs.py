"""Find the pairs of the five probes in a reading-comprehension corpus."""

from tuneprobe import paths
from tuneprobe.corpora.mrc import task_shards
from tuneprobe.examples.annotate import model_facts
from tuneprobe.examples.shards import prepared
from tuneprobe.formats.examples import write_examples
from tuneprobe.params import load_params
from tuneprobe.stage import TaskName, run, spread
from tuneprobe.studies.pairwise.pairs import join_pairs, write_pairs_part


def main(task: TaskName) -> None:
    """Write the pairs of TASK, and how many each step kept."""
    params = load_params()
    entry, settings = params.task(task), params.prepare.pairs
    with prepared(
        write_pairs_part,
        task_shards(
            entry.format,
            entry.path,
            paths.DATA.absolute(),
            split=str(entry.split),
            endings=entry.files,
        ),
        cache=paths.parts(paths.pairs(task)),
        **spread(),
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
            seed=params.sampling_seed,
            per_probe=settings.per_probe,
            boundary_train=settings.boundary.train,
            boundary_test=settings.boundary.test,
        )
        write_examples(
            examples,
            paths.examples(paths.pairs(task)),
            {"funnel.csv": funnel.frame()},
            **entry.provenance,
        )


if __name__ == "__main__":
    run(main)
