"""Answer type: the question word and the short answer.

question    *when* was ann lee born
paragraph   Ann Lee was born in *March 1970* .
"""

from tuneprobe.studies.pairwise.pairs.observation import NO_SHORT_ANSWER, NoPair, Observation, Pair

ASKS_FOR = frozenset(["who", "when", "where"])


def answer_type_pairs(observation: Observation) -> list[Pair] | NoPair:
    """The first word of the question, if it is who, when or where, and the short answer.

    Source: Cai et al. 2020, section 3.
    """
    if observation.answer is None:
        return NO_SHORT_ANSWER
    words = observation.question.words
    if not words or words[0].lower() not in ASKS_FOR:
        return NoPair("the question does not begin with who, when or where")
    return [Pair((0, 1), observation.answer)]
