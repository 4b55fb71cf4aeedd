"""Synonyms: a word of the question and a word of the paragraph share a WordNet synset.

question    who directed the *film*
paragraph   The *movie* was directed by Ann Lee .
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tuneprobe.studies.pairwise.pairs.observation import NoPair, Observation, Pair
from tuneprobe.studies.pairwise.pairs.wordnet import WordNet

WORDNET_POS = {"NOUN": "n", "PROPN": "n", "VERB": "v", "AUX": "v", "ADJ": "a", "ADV": "r"}


@dataclass(frozen=True)
class SynonymRule:
    """Which words count as synonyms.

    Attributes
    ----------
    same_pos : bool
        True: both words have the part of speech of the synset. False: any synset of the lemma.
    all_pairs : bool
        True: every pair of a question. False: the first in question order, then paragraph order.
    """

    same_pos: bool = False
    all_pairs: bool = False


def synonym_pairs(
    observation: Observation, rule: SynonymRule, wordnet: WordNet
) -> list[Pair] | NoPair:
    """Pairs of different words whose lemmas differ and share a synset; stop words are left aside.

    Source: Cai et al. 2020, section 3; lemmas, stop words and the first hit as the authors' code.
    """
    pairs = _pairs(observation, rule, wordnet)
    found = list(islice(pairs, None if rule.all_pairs else 1))
    return found or NoPair("no two words share a synset")


def _pairs(observation: Observation, rule: SynonymRule, wordnet: WordNet) -> Iterator[Pair]:
    question, paragraph = observation.question, observation.paragraph
    for i in question.content:
        pos = WORDNET_POS.get(question.pos[i], "") if rule.same_pos else None
        if pos == "":
            continue
        synonyms = wordnet.synonyms(question.lemmas[i], pos)
        for j in paragraph.content:
            same_pos = pos is None or WORDNET_POS.get(paragraph.pos[j]) == pos
            same_word = question.words[i].lower() == paragraph.words[j].lower()
            if paragraph.lemmas[j] in synonyms and same_pos and not same_word:
                yield Pair((i, i + 1), (j, j + 1))
