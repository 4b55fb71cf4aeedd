"""Treebanks in CoNLL-U (Nivre et al. 2020): ten columns a word, a blank line after each sentence.

A sentence (an invented instance; the columns are divided by tabs):

    # sent_id = kites-1
    # text = Don't fly kites
    1-2   Don't  _     _     _   _  _  _       _  _
    1     Do     do    AUX   VB  _  3  aux     _  _
    2     n't    not   PART  RB  _  3  advmod  _  _
    3     fly    fly   VERB  VB  _  0  root    _  _
    4     kites  kite  NOUN  NNS _  3  obj     _  _

The words are the syntactic ones, ``Do`` and ``n't``. The lines of multiword tokens (``1-2``) and of
empty nodes (``3.1``) are checked for their place and left out.

Source: https://universaldependencies.org/format.html
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tuneprobe.corpora.lines import REMEDY, CorpusError, read_lines

N_COLUMNS = 10
NONE = "_"
SENT_ID = re.compile(r"#\s*sent_id\s*=\s*(\S.*?)\s*")
WORD_ID = re.compile(r"[1-9][0-9]{0,8}")
RANGE_ID = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")
EMPTY_NODE_ID = re.compile(r"([0-9]{1,9})\.[1-9][0-9]{0,8}")
HEAD = re.compile(r"[0-9]{1,9}")
LAYERS = ("upos", "deprel")


class Word(NamedTuple):
    """A syntactic word; ``head`` counts the words of the sentence from 1 and is 0 at the root.

    What was not read is ``_``, and a head -1.
    """

    form: str
    upos: str = NONE
    head: int = -1
    deprel: str = NONE


class Sentence(NamedTuple):
    """The words of a sentence; ``id`` is its sent_id, else its file and line."""

    id: str
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Row:
    """The cells of one line and its place, so that an error can name file, line and column."""

    path: Path
    line: int
    cells: list[str]

    @property
    def form(self) -> str:
        """The word as it is written."""
        return self.cells[1]

    def wrong(self, column: str, problem: str) -> CorpusError:
        """The error that says what is the matter with one column."""
        return CorpusError(f"{self.path}:{self.line}: {column.upper()} {problem}. {REMEDY}")


class Block(NamedTuple):
    """The rows of the words of one sentence."""

    id: str
    rows: list[Row]


def read_conllu(path: Path, layers: Sequence[str] = LAYERS) -> Iterator[Sentence]:
    """Sentences of one file, one at a time.

    Parameters
    ----------
    layers : sequence of str
        What is read beside the forms: ``upos``, ``deprel`` (with the heads) or both. What is not
        read may be missing: a tagged treebank need not be parsed, nor a parsed one tagged.

    Raises
    ------
    CorpusError
        If a line has not ten columns, an ID is out of order, a form is empty, a tag or relation is
        missing, a head lies outside the sentence, or a relation is ``root`` where the head is not 0
        (or the reverse).
    """
    for block in read_blocks(path):
        n_words = len(block.rows)
        yield Sentence(block.id, tuple(_word(row, n_words, layers) for row in block.rows))


def read_blocks(path: Path, n_columns: int = N_COLUMNS) -> Iterator[Block]:
    """Sentences as rows of `n_columns` cells, for formats that add columns to those of CoNLL-U.

    IDs and forms are checked, the other cells are not.
    """
    paragraphs = groupby(read_lines(path), key=lambda numbered: bool(numbered[1].strip(" \r\n")))
    for has_text, lines in paragraphs:
        if has_text:
            yield _block(path, list(lines), n_columns)


def _block(path: Path, lines: list[tuple[int, str]], n_columns: int) -> Block:
    name, rows = f"{path.name}:{lines[0][0]}", []
    for line, text in lines:
        row = Row(path, line, text.rstrip("\r\n").split("\t"))
        if not text.startswith("#"):
            rows.append(row)
        elif rows:
            raise CorpusError(
                f"{path}:{line}: a comment inside a sentence, expected a blank line before it. "
                f"{REMEDY}"
            )
        elif match := SENT_ID.fullmatch(text):
            name = match[1]
    words = _word_rows(rows, n_columns)
    if not words:
        raise CorpusError(f"{path}:{lines[0][0]}: a sentence without words. {REMEDY}")
    return Block(name, words)


def _word_rows(rows: list[Row], n_columns: int) -> list[Row]:
    """The rows of words; those of multiword tokens and of empty nodes must be in their place."""
    words: list[Row] = []
    range_row, reach = None, 0
    for row in rows:
        if len(row.cells) != n_columns:
            raise CorpusError(
                f"{row.path}:{row.line}: {len(row.cells)} columns, expected {n_columns} divided by "
                f"tabs. {REMEDY}"
            )
        due = len(words) + 1
        if match := RANGE_ID.fullmatch(row.cells[0]):
            range_row, reach = row, int(match[2])
            if int(match[1]) != due or reach < due:
                raise row.wrong("id", f"is {match[0]}, expected a range from {due}")
        elif match := EMPTY_NODE_ID.fullmatch(row.cells[0]):
            if int(match[1]) != due - 1:
                raise row.wrong("id", f"is {match[0]}, expected an empty node {due - 1}.1 here")
        else:
            words.append(_checked(row, due))
    if range_row and reach > len(words):
        raise range_row.wrong(
            "id", f"is {range_row.cells[0]}, but the sentence has {len(words)} words"
        )
    return words


def _checked(row: Row, due: int) -> Row:
    """A word row whose ID is the one that is due."""
    number = row.cells[0]
    if not WORD_ID.fullmatch(number) or int(number) != due:
        raise row.wrong("id", f"is '{number[:60]}', expected {due}")
    if not row.form.strip():
        raise row.wrong("form", "is empty, expected a word")
    return row


def _word(row: Row, n_words: int, layers: Sequence[str]) -> Word:
    word = Word(row.form)
    if "upos" in layers:
        word = word._replace(upos=_label(row, "upos", 3))
    if "deprel" in layers:
        deprel = _label(row, "deprel", 7)
        word = word._replace(head=_head(row, n_words, deprel), deprel=deprel)
    return word


def _label(row: Row, name: str, column: int) -> str:
    cell = row.cells[column]
    if not cell.strip() or cell == NONE:
        raise row.wrong(name, f"is '{cell}', expected a label")
    return cell


def _head(row: Row, n_words: int, deprel: str) -> int:
    number, head = row.cells[0], row.cells[6]
    if not HEAD.fullmatch(head) or int(head) > n_words:
        raise row.wrong("head", f"is '{head[:60]}', expected 0 to {n_words}")
    if int(head) == int(number):
        raise row.wrong("head", f"is {head}, the word itself")
    if (int(head) == 0) != (deprel.partition(":")[0] == "root"):
        raise row.wrong("deprel", f"is '{deprel}' with head {head}: 'root' belongs to head 0")
    return int(head)
