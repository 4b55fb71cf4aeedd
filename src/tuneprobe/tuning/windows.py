"""Windows of BERT-joint (Alberti et al. 2019): [CLS] question [SEP] slice of a document [SEP].

A document longer than a window is read in overlapping slices. A window that does not hold the
whole answer is a null window: its answer is [CLS] and its type ``unknown``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuneprobe.encoders.encoder import Encoder, pad_batch
from tuneprobe.encoders.pieces import (
    Pieces,
    document_pieces,
    frame_of,
    layout_pieces,
    piece_table,
    refuse_unknown,
    word_pieces,
)
from tuneprobe.errors import TuneprobeError
from tuneprobe.formats.question import Interval, Question
from tuneprobe.rng import rng

ANSWER_TYPES = ("unknown", "yes", "no", "short", "long")
UNKNOWN = 0
CLS = 0
SPECIAL, BEFORE = 3, 2  # [CLS], [SEP], [SEP]; the first two stand before the document
TOGETHER = 256  # questions
TARGETS = ("start", "end", "answer_type")

Ids = NDArray[np.int32]


class WindowError(TuneprobeError):
    """Windows that cannot be cut, or none at all."""


@dataclass(frozen=True)
class Window:
    """One input of a reader, and what it should answer.

    Attributes
    ----------
    item : int
        Number of the question.
    question, document : int32 ndarrays
        Word-piece ids of the question and of the slice, without special tokens.
    words : int32 ndarray
        The document word that each piece of the slice belongs to.
    start, end : int
        Positions in the window of the answer's first and last piece; 0, which is [CLS], for none.
    answer_type : int
        Position in `ANSWER_TYPES`.
    special, before : int
        Special tokens of the window, and those that stand before the slice.
    """

    item: int
    question: Ids
    document: Ids
    words: Ids
    start: int = CLS
    end: int = CLS
    answer_type: int = UNKNOWN
    special: int = SPECIAL
    before: int = BEFORE

    def __len__(self) -> int:
        return len(self.question) + len(self.document) + self.special

    @property
    def offset(self) -> int:
        """Position of the slice's first piece in the window."""
        return len(self.question) + self.before

    def on_its_own(self, item: int) -> "Window":
        """The same window of question `item`, without holding on to the rest of its document."""
        return replace(self, item=item, document=self.document.copy(), words=self.words.copy())

    def pieces(self, tokenizer: Any) -> Pieces:
        """The window as an encoder reads it."""
        return layout_pieces(tokenizer, [self.question.tolist()], [self.document.tolist()])


@dataclass(frozen=True)
class Windows:
    """Windows as a training set: lengths to sort by, batches of tensors, a fingerprint."""

    encoder: Encoder
    windows: Sequence[Window]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Word pieces of each window, special tokens included."""
        return np.array([len(window) for window in self.windows])

    def batch(self, rows: Iterable[int]) -> dict[str, Tensor]:
        """Padded inputs of shape (batch, seq) and targets of shape (batch,)."""
        chosen = [self.windows[row] for row in rows]
        inputs = pad_batch(self.encoder, [w.pieces(self.encoder.tokenizer) for w in chosen])
        return self.targets_of(rows) | inputs

    def targets_of(self, rows: Iterable[int]) -> dict[str, Tensor]:
        """Targets of shape (batch,), and ``attention_mask`` (batch, seq): what a loss needs."""
        chosen = [self.windows[row] for row in rows]
        lengths = torch.tensor([len(window) for window in chosen])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        targets = {name: torch.tensor([getattr(w, name) for w in chosen]) for name in TARGETS}
        targets["attention_mask"] = mask.long()
        return {name: tensor.to(self.encoder.device) for name, tensor in targets.items()}

    def sha256(self) -> str:
        """Fingerprint of all inputs and targets, in order."""
        digest = sha256()
        for window in self.windows:
            shape = (len(window.question), len(window.document))
            for part in (shape, window.question, window.document):
                digest.update(np.asarray(part, dtype=np.int32).tobytes())
            targets = [window.start, window.end, window.answer_type]
            digest.update(np.array(targets, dtype=np.int32).tobytes())
        return digest.hexdigest()


def training_windows(
    encoder: Encoder,
    questions: Iterable[Question],
    *,
    window: int,
    stride: int,
    max_question: int,
    null_keep: float,
    seed: int,
) -> Windows:
    """The windows that a reader is tuned on: all with an answer, and a share of the null windows.

    Whether a null window is kept depends on the seed, the question's id and the window's number
    alone, so that more questions or another order change nothing for the others.

    Parameters
    ----------
    questions : iterable of Question
        Read once, `TOGETHER` at a time; only the windows that are kept stay in memory.
    null_keep : float
        Probability that a null window is kept.

    Raises
    ------
    WindowError
        If no window is left.
    """
    kept: list[Window] = []
    n_questions = 0
    sizes = {"window": window, "stride": stride, "max_question": max_question}
    reading = iter(questions)
    while some := list(islice(reading, TOGETHER)):
        for question, its_windows in zip(some, cut_windows(encoder, some, **sizes), strict=True):
            for number, one in enumerate(its_windows):
                if one.answer_type != UNKNOWN or _draw(seed, question.id, number) < null_keep:
                    kept.append(one.on_its_own(n_questions))
            n_questions += 1
    if not kept:
        raise WindowError(
            f"{n_questions} questions give no window to train on: none has an answer and no "
            f"null window was kept (null_keep {null_keep:g})."
        )
    return Windows(encoder, kept)


def cut_windows(
    encoder: Encoder,
    questions: Sequence[Question],
    *,
    window: int,
    stride: int,
    max_question: int,
) -> Iterator[list[Window]]:
    """The windows of each question, with the first annotator's answer.

    Parameters
    ----------
    window : int
        Word pieces of a window at most, special tokens included; the encoder's maximum if lower.
    stride : int
        Document pieces from the beginning of one slice to that of the next.
    max_question : int
        Word pieces of a question at most. The last ones are kept, as in BERT-joint's code.
    """
    window, tokenizer = min(window, encoder.max_pieces), encoder.tokenizer
    frame = frame_of(tokenizer, 2)
    special, before = len(frame), frame.before(1)
    if window < max_question + special + 1:
        raise WindowError(
            f"a window of {window} word pieces has no room for a document beside a question of "
            f"{max_question}: raise window or lower max_question."
        )
    table = piece_table(tokenizer, chain.from_iterable(q.document for q in questions))
    for item, question in enumerate(questions):
        asked = _joined(word_pieces(tokenizer, question.words))[-max_question:]
        cut_document = document_pieces(tokenizer, table, question.document)
        document = _joined(cut_document)
        refuse_unknown(encoder.name, tokenizer, [document], [question.document])
        count = [len(pieces) for pieces in cut_document]
        bounds = np.concatenate([[0], np.cumsum(count, dtype=np.int64)])
        words = np.repeat(np.arange(len(count), dtype=np.int32), count)
        (first, last), kind = answer_pieces(question, bounds)
        room = window - special - len(asked)
        cut = []
        for begin, stop in slices(len(document), room, stride):
            shift = len(asked) + before - begin
            whole = kind != UNKNOWN and begin <= first and last <= stop
            target = (first + shift, last - 1 + shift, kind) if whole else (CLS, CLS, UNKNOWN)
            slice_ = document[begin:stop], words[begin:stop]
            cut.append(Window(item, asked, *slice_, *target, special, before))
        yield cut


def slices(n_pieces: int, room: int, stride: int) -> list[Interval]:
    """Overlapping half-open slices that cover a document.

    >>> slices(10, room=6, stride=3)
    [(0, 6), (3, 9), (6, 10)]
    """
    step = min(stride, room)
    count = 1 + max(0, -(-(n_pieces - room) // step))
    return [(begin, min(begin + room, n_pieces)) for begin in range(0, count * step, step)]


def answer_pieces(question: Question, bounds: NDArray[np.int64]) -> tuple[Interval, int]:
    """The first annotator's answer: its document pieces, half-open, and its type.

    A short answer reaches from the first span to the end of the last; a long one, yes and no are
    the long answer's bounds. An answer without a word piece is none.
    """
    start, end, kind = first_answer(question)
    first, last = int(bounds[start]), int(bounds[end])
    return ((first, last), kind) if first < last else ((CLS, CLS), UNKNOWN)


def first_answer(question: Question) -> tuple[int, int, int]:
    """Start and end (document words, half-open) and type of the first annotator's answer."""
    if not question.annotations:
        return 0, 0, UNKNOWN
    answer = question.annotations[0]
    kind = ANSWER_TYPES.index(answer.answer_type)
    if answer.answer_type == "short":
        starts, ends = zip(*answer.shorts, strict=True)
        return min(starts), max(ends), kind
    if answer.long < 0:
        return 0, 0, UNKNOWN
    candidate = question.candidates[answer.long]
    return candidate.start, candidate.end, kind


def _joined(cut: Iterable[list[int]]) -> Ids:
    return np.fromiter(chain.from_iterable(cut), dtype=np.int32)


def _draw(seed: int, question: str, number: int) -> float:
    return float(rng(seed, "null-windows", question, number).random())
