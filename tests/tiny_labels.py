"""Small labelled tasks over the words of `tiny_reader`: words, pairs of words, whole texts."""

from tuneprobe.formats.examples import NO_SPAN, Examples, ExamplesBuilder

CLASSES = {"kite": "THING", "town": "THING", "river": "THING", "ann": "NAME", "bob": "NAME"}
CLASSES |= {"lee": "NAME", "flew": "VERB", "built": "VERB", "old": "ADJ", "red": "ADJ"}
SENTENCES = [
    "ann built the kite .",
    "the old town by the river .",
    "bob lee flew in the red kite",
    "the river .",
    "tulips built by ann lee in 1901 .",
    "the red old town flew",
]


def tagged_words(n: int = 12) -> Examples:
    """Words and their classes; text i is sentence i modulo 6, the last third is the test split."""
    builder = ExamplesBuilder()
    for number in range(n):
        words = SENTENCES[number % len(SENTENCES)].split()
        text = builder.add_text(f"s{number}", words)
        for at, word in enumerate(words):
            span = builder.add_span(text, 0, at, at + 1, "word")
            if word in CLASSES:
                builder.add_example(span, NO_SPAN, CLASSES[word], _split(number, n))
    return builder.build()


def neighbours(n: int = 12) -> Examples:
    """Pairs of adjacent words; the label is whether the second comes first in the alphabet."""
    builder = ExamplesBuilder()
    for number in range(n):
        words = SENTENCES[number % len(SENTENCES)].split()
        text = builder.add_text(f"s{number}", words)
        spans = [builder.add_span(text, 0, at, at + 1, "word") for at in range(len(words))]
        for at in range(len(words) - 1):
            label = "falls" if words[at + 1] < words[at] else "rises"
            builder.add_example(spans[at + 1], spans[at], label, _split(number, n))
    return builder.build()


def scored_texts(n: int = 12) -> Examples:
    """Pairs of sentences; the score is the share of words of the first that the second has."""
    builder = ExamplesBuilder()
    for number in range(n):
        first = SENTENCES[number % len(SENTENCES)].split()
        second = SENTENCES[(number * 2 + 1) % len(SENTENCES)].split()
        text = builder.add_text(f"s{number}", first, second)
        score = sum(word in second for word in first) / len(first)
        whole = builder.add_whole_text(text)
        builder.add_example(whole, NO_SPAN, str(score), _split(number, n))
    return builder.build()


def _split(number: int, n: int) -> str:
    return "test" if 3 * number >= 2 * n else "train"
