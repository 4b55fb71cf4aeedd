"""FrameNet full texts, releases 1.5 and 1.7: sentences whose words evoke frames.

A sentence of fulltext/*.xml (an invented instance; offsets count characters, the end included):

    <sentence ID="7"> <text>Ann lent him a kite .</text>
      <annotationSet frameName="Lending" luName="lend.v" ID="8">
        <layer rank="1" name="Target"> <label start="4" end="7" name="Target"/> </layer>
        <layer rank="1" name="FE"> <label start="0" end="2" name="Lender"/>
                                   <label start="13" end="18" name="Theme"/> </layer>

frame/Lending.xml says which elements are core: ``<FE name="Lender" coreType="Core" .../>``.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from tuneprobe.corpora.archives import open_member, open_tar
from tuneprobe.corpora.lines import REMEDY, CorpusError, is_hidden, refuse_other_than_file
from tuneprobe.corpora.tokens import Tokens, split_blanks
from tuneprobe.formats.question import Interval

NAMESPACE = "{http://framenet.icsi.berkeley.edu}"
CORE = "Core"
FOLDERS = ("frame", "fulltext")
OFFSET = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class FrameElement:
    """A role that some words fill, e.g. Lender; `core` if the frame cannot be without it."""

    name: str
    words: Interval
    core: bool = False


@dataclass(frozen=True)
class FrameSentence:
    """A sentence, one frame that it evokes, the target words that evoke it, and its elements.

    A sentence with several frames stands once for each. A target may be split (`lent ... out`).
    """

    source: str
    words: tuple[str, ...]
    frame: str
    targets: tuple[Interval, ...]
    elements: tuple[FrameElement, ...]


def read_framenet(path: Path) -> list[FrameSentence]:
    """Every annotated frame of the full texts, in the order of files and sentences.

    Elements that no words express are left out, and so are annotations without a target. Words are
    what blanks divide.

    Parameters
    ----------
    path : Path
        A release, unpacked or as a tar archive: folders ``frame`` and ``fulltext``, anywhere below.

    Raises
    ------
    CorpusError
        If there are no such files, or one is no XML, declares a document type or entities (which
        can read other files or fill the memory), or lacks what is needed; the message names it.
    """
    core: dict[str, frozenset[str]] = {}
    found: list[FrameSentence] = []
    for name, data in sorted(_files(path)):
        root = _parse(data, f"{path}: {name}")
        if PurePosixPath(name).parent.name == "frame":
            core[_attribute(root, "name", f"{path}: {name}")] = _core_elements(root)
        else:
            found += _sentences(root, f"{path}: {name}", PurePosixPath(name).stem)
    if not core or not found:
        missing = "frame/*.xml" if not core else "annotated sentence in fulltext/*.xml"
        raise CorpusError(f"{path} has no {missing}; is it a release of FrameNet? {REMEDY}")
    return [_with_core(sentence, core.get(sentence.frame, frozenset())) for sentence in found]


def short_far_sentences(
    sentences: Iterable[FrameSentence],
    *,
    max_words: int = 12,
    max_element: int = 3,
    min_distance: int = 2,
) -> list[FrameSentence]:
    """The sentences whose links are no mere neighbourhood (Kovaleva et al. 2019).

    A sentence of at most `max_words` words, with one unbroken target, no element of more than
    `max_element` words, and a core element at least `min_distance` words from the target.
    """
    return [
        sentence
        for sentence in sentences
        if len(sentence.words) <= max_words
        and len(sentence.targets) == 1
        and all(_length(element.words) <= max_element for element in sentence.elements)
        and far_core_elements(sentence, min_distance)
    ]


def far_core_elements(sentence: FrameSentence, min_distance: int = 2) -> list[FrameElement]:
    """The core elements at least `min_distance` words from every target; neighbours are 1 apart."""
    return [
        element
        for element in sentence.elements
        if element.core
        and all(_distance(element.words, target) >= min_distance for target in sentence.targets)
    ]


def _length(words: Interval) -> int:
    return words[1] - words[0]


def _distance(one: Interval, other: Interval) -> int:
    """Difference of the nearest words' positions; 0 where the intervals overlap."""
    return max(0, one[0] - other[1] + 1, other[0] - one[1] + 1)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the XML files in the folders `FOLDERS` of a release."""
    if path.is_dir():
        for file in path.rglob("*.xml"):
            if file.parent.name in FOLDERS and not is_hidden(file, path):
                refuse_other_than_file(file)
                yield file.relative_to(path).as_posix(), file.read_bytes()
        return
    with open_tar(path) as archive:
        for member in archive:
            name = PurePosixPath(member.name)
            wanted = name.suffix == ".xml" and name.parent.name in FOLDERS
            if wanted and not name.name.startswith("."):
                content = open_member(archive, member, path)
                if content is not None:
                    yield member.name, content.read()


class _NoDoctype(TreeBuilder):
    """Builds a tree, but stops at a document type: FrameNet has none, attacks need one."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        """Called before anything that the document type declares is read."""
        raise CorpusError(f"declares a document type ('{name}'), which is refused")


def _parse(data: bytes, place: str) -> Element:
    parser = XMLParser(target=_NoDoctype())
    try:
        parser.feed(data)
        return parser.close()
    except CorpusError as error:
        raise CorpusError(f"{place} {error}. {REMEDY}") from None
    except ParseError as error:
        raise CorpusError(f"{place}:{error.position[0]}: not XML ({error}). {REMEDY}") from None
    except (LookupError, ValueError) as error:  # an encoding that the parser does not know
        raise CorpusError(f"{place}: not XML ({error}). {REMEDY}") from None


def _core_elements(root: Element) -> frozenset[str]:
    return frozenset(
        element.get("name", "")
        for element in root.iter(f"{NAMESPACE}FE")
        if element.get("coreType") == CORE
    )


def _with_core(sentence: FrameSentence, core: frozenset[str]) -> FrameSentence:
    elements = tuple(replace(element, core=element.name in core) for element in sentence.elements)
    return replace(sentence, elements=elements)


def _sentences(root: Element, place: str, document: str) -> Iterator[FrameSentence]:
    for sentence in root.iter(f"{NAMESPACE}sentence"):
        number = _attribute(sentence, "ID", place)
        here = f"{place}: sentence {number}"
        text = sentence.findtext(f"{NAMESPACE}text")
        if not text or not text.strip():
            raise CorpusError(f"{here} has no text. {REMEDY}")
        tokens = split_blanks(text)
        for annotation in sentence.iter(f"{NAMESPACE}annotationSet"):
            targets = tuple(words for _, words in _labels(annotation, "Target", tokens, here))
            if "frameName" in annotation.attrib and targets:
                source = f"{document}/{number}/{_attribute(annotation, 'ID', here)}"
                elements = _labels(annotation, "FE", tokens, here)
                yield FrameSentence(
                    source,
                    tokens.words,
                    annotation.attrib["frameName"],
                    targets,
                    tuple(FrameElement(name, words) for name, words in elements),
                )


def _labels(
    annotation: Element, layer: str, tokens: Tokens, place: str
) -> Iterator[tuple[str, Interval]]:
    """Name and words of every label of a layer; one without offsets stands for nothing said."""
    for part in annotation.iterfind(f"{NAMESPACE}layer[@name='{layer}']"):
        for label in part.iterfind(f"{NAMESPACE}label[@start]"):
            start = _offset(label, "start", place)
            end = _offset(label, "end", place) + 1
            words = tokens.interval(start, end)
            if not 0 <= start < end <= tokens.ends[-1] or words[0] >= words[1]:
                raise CorpusError(
                    f"{place}: the {layer} label '{label.get('name')}' is at characters "
                    f"{start}..{end - 1}, where there is no word. {REMEDY}"
                )
            yield _attribute(label, "name", place), words


def _offset(label: Element, name: str, place: str) -> int:
    value = _attribute(label, name, place)
    if not OFFSET.fullmatch(value):
        raise CorpusError(f"{place}: {name}='{value[:60]}' is no character offset. {REMEDY}")
    return int(value)


def _attribute(element: Element, name: str, place: str) -> str:
    if name not in element.attrib:
        tag = element.tag.removeprefix(NAMESPACE)
        raise CorpusError(f"{place}: <{tag}> has no attribute '{name}'. {REMEDY}")
    return element.attrib[name]
