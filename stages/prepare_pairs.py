"""Find the pairs of the five probes in a reading-comprehension corpus."""

from tuneprobe import paths
from tuneprobe.annotate import load_spacy
from tuneprobe.corpora.mrc import read_mrc
from tuneprobe.examples import write_examples
from tuneprobe.pairs import AbbreviationRule, CoreferenceRule, SynonymRule, build_pairs
from tuneprobe.params import load_params
from tuneprobe.stage import run
from tuneprobe.tasks import get_task
from tuneprobe.wordnet import WordNet


def main(name: str) -> None:
    """Write the examples of the task NAME, and how many each step kept."""
    params = load_params()
    task, settings = get_task(name), params.prepare.pairs
    examples, funnel = build_pairs(
        read_mrc(task.corpus, paths.DATA),
        wordnet=WordNet.read(paths.WORDNET),
        nlp=load_spacy(),
        seed=params.seed,
        per_probe=settings.per_probe,
        max_words=settings.max_words,
        synonyms=SynonymRule(**settings.synonyms.model_dump()),
        abbreviation=AbbreviationRule(**settings.abbreviation.model_dump()),
        coreference=CoreferenceRule(**settings.coreference.model_dump()),
        boundary_train=settings.boundary.train,
        boundary_test=settings.boundary.test,
    )
    write_examples(
        examples,
        paths.examples(name),
        {"funnel.csv": funnel.frame()},
        corpus=task.corpus,
        synthetic=task.synthetic,
        version=task.version,
    )


if __name__ == "__main__":
    run(main)
