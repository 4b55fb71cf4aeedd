"""The schema of a task: an entry under `tasks` in params.yaml.

A task says which files are read, in which format, and what is predicted. Its classes are those that
the files hold. The built-in tasks are entries of params.yaml like a user's own.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tuneprobe.errors import UnknownNameError

LABELLED = ("conllu", "conllulex", "trec")  # formats of labelled words and questions
READING = ("nq", "squad", "nq-passages")
TABLES = ("tsv", "csv", "jsonl", "parquet", "hub")  # one text, or two, and a label a row
KINDS = {  # of a format whose entry names none
    **dict.fromkeys(LABELLED, "label"),
    **dict.fromkeys(TABLES, "label"),
    **dict.fromkeys(READING, "reading"),
    "framenet": "heads",
}
TARGETS = {
    "conllu": ("upos", "deprel"),
    "conllulex": ("role", "function"),
    "trec": ("fine",),
    "glue": ("mrpc", "stsb", "sst2", "qqp", "rte", "qnli", "mnli", "mnli-mismatched", "sick"),
}
HUB_PATH = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(/[\w.-]+)?", re.ASCII)
SCORED = ("stsb",)  # targets of GLUE that are scores

Kind = Literal["reading", "label", "score", "heads"]
Format = Literal[
    "nq", "squad", "nq-passages", "conllu", "conllulex", "trec", "glue", "tsv", "csv", "jsonl",
    "parquet", "hub", "framenet",
]  # fmt: skip


def _text(text: str) -> str:
    """Refuse a text that no file or package can be called."""
    if not text.strip() or not text.isprintable():
        raise ValueError("expected a text of printable characters")
    return text


def _folder(path: str) -> str:
    """Refuse a path that leaves data/ without saying where it goes."""
    if ".." in PurePosixPath(path).parts:
        raise ValueError("expected a folder below data/, without '..', or an absolute one")
    return path


Text = Annotated[str, Field(max_length=4096), AfterValidator(_text)]
Folder = Annotated[Text, AfterValidator(_folder)]
Shown = Annotated[str, Field(max_length=4096)]  # on a page


class Columns(BaseModel):
    """The columns of a table, or keys of a JSON line: one text, or two, and the label."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    text: Shown
    text2: Shown | None = None
    label: Shown


class Task(BaseModel):
    """A labelled problem.

    Attributes
    ----------
    format : str
        How the files are written.
    path : str
        Their folder below data/, or an absolute one. Of the format ``hub``: the data set,
        ``owner/name``, or one of its subsets, ``owner/name/subset``.
    revision : str, optional
        Of the format ``hub``: the commit that is read.
    target : str
        What of the files is predicted: a column of the annotation (``upos``, ``deprel``, ``role``,
        ``function``, ``fine``), or the task of GLUE whose files they are.
    kind : str
        ``reading`` (questions with answers), ``label`` (classes of words, pairs of words or texts),
        ``score`` (a number for a text), ``heads`` (pairs of words that a head may link). Most
        formats have one kind only; a table is ``label`` unless it says ``score``.
    columns : Columns
        Of a table.
    files : tuple of str
        Endings of the file names that are read; empty: those of the format.
    split : str or int
        ``file`` (the names say train, dev or test), ``title`` (a quarter of the documents is
        test); or how many sentences of a single file are train.
    version : int
        Raised whenever the files change in place; all that follows runs again.
    synthetic : bool
        Whether the text was generated; said wherever a number is reported.
    label, family, licence : str
        What a page calls it, which tasks it is compared with, what its files may be used for.
    paper : bool
        Whether a reproduced paper has it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Format
    path: Folder
    target: str = ""
    kind: Kind = "label"
    columns: Columns | None = None
    files: Annotated[tuple[Text, ...], Field(strict=False)] = ()  # a list in YAML
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    split: Literal["file", "title"] | Annotated[int, Field(gt=0)] = "file"
    version: Annotated[int, Field(gt=0)] = 1
    synthetic: bool = False
    label: Shown = ""
    family: Shown = ""
    licence: Shown = ""
    paper: bool = False

    @model_validator(mode="before")
    @classmethod
    def _kind_of_the_format(cls, entry: object) -> object:
        if not isinstance(entry, dict) or "kind" in entry:
            return entry
        kind = KINDS.get(str(entry.get("format")), "label")
        return {**entry, "kind": "score" if entry.get("target") in SCORED else kind}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        targets = TARGETS.get(self.format)
        if targets and self.target not in targets:
            raise ValueError(f"the format {self.format} has the targets {', '.join(targets)}")
        if self.target and not targets:
            raise ValueError(f"the format {self.format} has no target")
        if (self.format in TABLES) != (self.columns is not None):
            raise ValueError(
                "give columns (text, label, and text2 for pairs) of a table, of it only"
            )
        if self.format == "hub" and not HUB_PATH.fullmatch(self.path):
            raise ValueError("a data set of the hub is owner/name, or owner/name/subset")
        if self.revision and self.format != "hub":
            raise ValueError("a revision is a commit of the hub: give it with the format hub")
        fixed = KINDS.get(self.format)
        if self.format not in TABLES and fixed and self.kind != fixed:
            raise ValueError(f"the format {self.format} has tasks of the kind {fixed}")
        if self.format in TABLES and self.kind not in ("label", "score"):
            raise ValueError("a table has tasks of the kinds label and score")
        return self

    @property
    def provenance(self) -> dict[str, str | int]:
        """What the examples' meta.json says of where they come from."""
        return {"corpus": self.path, "synthetic": self.synthetic, "version": self.version}


def get_task(name: str, tasks: Mapping[str, Task]) -> Task:
    """The task called `name`; an unknown name is answered with the nearest one."""
    if name not in tasks:
        raise UnknownNameError("task", name, tasks)
    return tasks[name]
