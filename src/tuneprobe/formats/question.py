"""A reading-comprehension question, as every MRC reader yields it."""

from dataclasses import dataclass

Interval = tuple[int, int]


@dataclass(frozen=True)
class Candidate:
    """A long-answer candidate: a half-open interval of document words.

    Indices of candidates are those of the upstream file, so that official answers can be compared.
    """

    start: int
    end: int
    top_level: bool = True


@dataclass(frozen=True)
class Annotation:
    """One annotator's answer.

    Attributes
    ----------
    long : int
        Index into the question's candidates; -1 for no long answer.
    shorts : tuple of (start, end)
        Half-open intervals of document words; empty for no short answer.
    yes_no : str
        ``YES``, ``NO`` or ``NONE``.
    """

    long: int = -1
    shorts: tuple[Interval, ...] = ()
    yes_no: str = "NONE"

    @property
    def answer_type(self) -> str:
        """``unknown``, ``yes``, ``no``, ``short`` or ``long`` (the five classes of BERT-joint)."""
        if self.yes_no in ("YES", "NO"):
            return self.yes_no.lower()
        if self.shorts:
            return "short"
        return "long" if self.long >= 0 else "unknown"


@dataclass(frozen=True)
class Question:
    """A question, its document and its annotations.

    ``document`` holds the words without HTML tokens; all intervals count these words.
    ``title`` names the document: train and test never share one.
    ``sentences`` holds the first word of each sentence where the corpus gives them.
    """

    id: str
    title: str
    words: tuple[str, ...]
    document: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    annotations: tuple[Annotation, ...]
    split: str = ""
    sentences: tuple[int, ...] = ()
