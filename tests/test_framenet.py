"""FrameNet: an invented release, the paper's selection, refusals, the real release 1.5."""

import tarfile
from pathlib import Path

import pytest

from tuneprobe.corpora.framenet import (
    FrameElement,
    FrameSentence,
    far_core_elements,
    read_framenet,
    short_far_sentences,
)
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.examples.frames import build_frames, frame_examples

SPACE = 'xmlns="http://framenet.icsi.berkeley.edu"'
FRAME = f"""<?xml version="1.0"?>
<frame {SPACE} name="Lending" ID="1">
  <FE name="Lender" coreType="Core"/> <FE name="Theme" coreType="Core"/>
  <FE name="Time" coreType="Peripheral"/>
</frame>"""
SENTENCE = """<sentence ID="7"><text>Yesterday Ann lent him a kite .</text>
  <annotationSet ID="8" status="UNANN"><layer rank="1" name="PENN">
    <label start="0" end="8" name="nn"/></layer></annotationSet>
  <annotationSet ID="9" frameName="Lending" luName="lend.v" status="MANUAL">
    <layer rank="1" name="Target"><label start="14" end="17" name="Target"/></layer>
    <layer rank="1" name="FE"><label start="10" end="12" name="Lender"/>
      <label start="23" end="28" name="Theme"/><label name="Borrower" itype="DNI"/></layer>
    <layer rank="2" name="FE"><label start="0" end="8" name="Time"/></layer>
  </annotationSet></sentence>"""
TEXT = f"<fullTextAnnotation {SPACE}>{SENTENCE}</fullTextAnnotation>"
WORDS = ("Yesterday", "Ann", "lent", "him", "a", "kite", ".")
LENDING = FrameSentence(
    source="Kites/7/9",
    words=WORDS,
    frame="Lending",
    targets=((2, 3),),
    elements=(
        FrameElement("Lender", (1, 2), core=True),
        FrameElement("Theme", (4, 6), core=True),
        FrameElement("Time", (0, 1)),
    ),
)


def release(folder: Path, frame: str = FRAME, text: str = TEXT) -> Path:
    for name, content in (("frame/Lending.xml", frame), ("fulltext/Kites.xml", text)):
        path = folder / "fndata" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def test_a_release_is_read_into_targets_and_elements_with_their_words(tmp_path: Path):
    assert read_framenet(release(tmp_path)) == [LENDING]


def test_an_archive_says_the_same_as_the_folder(tmp_path: Path):
    folder = release(tmp_path / "here")
    with tarfile.open(tmp_path / "fndata.tar.xz", "w:xz") as archive:
        archive.add(folder, "release")
    assert read_framenet(tmp_path / "fndata.tar.xz") == [LENDING]


def test_a_frame_without_a_file_has_no_core_elements(tmp_path: Path):
    text = TEXT.replace('"Lending"', '"Test35"')
    (found,) = read_framenet(release(tmp_path, text=text))
    assert not any(element.core for element in found.elements)


def test_neighbours_are_one_word_apart_and_only_core_elements_count():
    assert [element.name for element in far_core_elements(LENDING)] == ["Theme"]
    assert [element.name for element in far_core_elements(LENDING, 1)] == ["Lender", "Theme"]
    assert far_core_elements(LENDING, 3) == []


@pytest.mark.parametrize(
    ("limits", "kept"),
    [({}, 1), ({"max_words": 6}, 0), ({"max_element": 1}, 0), ({"min_distance": 3}, 0)],
)
def test_the_selection_keeps_short_sentences_with_short_far_elements(limits, kept):
    assert len(short_far_sentences([LENDING], **limits)) == kept


def test_a_target_in_two_parts_is_left_out():
    split = FrameSentence("s", WORDS, "Lending", ((2, 3), (6, 7)), LENDING.elements)
    assert short_far_sentences([split]) == []


def test_examples_link_far_core_elements_to_their_target(tmp_path: Path):
    examples, funnel = build_frames("framenet-1.5", release(tmp_path / "framenet-1.5").parent)
    assert examples.texts.source.tolist() == ["Kites/7/9"]
    spans = examples.spans.set_index("role")[["start", "end"]]
    assert spans.loc["target"].tolist() == [2, 3]
    assert spans.loc["element"].tolist() == [4, 6]
    (example,) = examples.examples.itertuples()
    assert examples.spans.role[[example.span1, example.span2]].tolist() == ["element", "target"]
    assert (example.label, example.split) == ("core-element", "test")
    assert funnel.frames.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("text", TEXT.replace("</sentence>", ""), r"Kites\.xml:\d+: not XML"),
        (
            "frame",
            "<!DOCTYPE x>" + FRAME.split("\n", 1)[1],
            r"Lending\.xml declares a document type",
        ),
        ("text", TEXT.replace('start="14"', 'start="x"'), r"sentence 7: start='x' is no character"),
        ("text", TEXT.replace('end="28"', 'end="99"'), r"'Theme' is at characters 23\.\.99, where"),
        ("text", TEXT.replace('ID="7"', ""), r"Kites\.xml: <sentence> has no attribute 'ID'"),
        ("text", TEXT.replace("Yesterday Ann lent him a kite .", ""), "sentence 7 has no text"),
        ("text", TEXT.replace("Yesterday Ann lent him a kite .", " "), "sentence 7 has no text"),
        ("text", '<?xml version="1.0" encoding="klingon"?><x/>', r"Kites\.xml: not XML .*klingon"),
        ("text", TEXT.replace("frameName", "frame"), "no annotated sentence in fulltext"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_place(tmp_path: Path, file, content, message):
    with pytest.raises(CorpusError, match=message):
        read_framenet(release(tmp_path, **{file: content}))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_before_they_grow(tmp_path: Path, encoding: str):
    grow = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    bomb = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY e0 "x">{grow}]>'
    path = release(tmp_path) / "fndata" / "fulltext" / "Bomb.xml"
    path.write_bytes(f"{bomb}<x>&e9;</x>".encode(encoding))
    with pytest.raises(CorpusError, match=r"Bomb\.xml declares a document type \('x'\)"):
        read_framenet(tmp_path)


def test_a_missing_or_broken_archive_is_one_error(tmp_path: Path):
    with pytest.raises(CorpusError, match="cannot be read"):
        read_framenet(tmp_path / "nowhere.tar.xz")
    (tmp_path / "broken.tar.xz").write_bytes(b"no archive")
    with pytest.raises(CorpusError, match=r"broken\.tar\.xz is no whole tar archive"):
        read_framenet(tmp_path / "broken.tar.xz")


@pytest.mark.shared_data
def test_the_real_release_1_5_has_its_counts(shared_data: Path):
    folder = shared_data / "lexical" / "FrameNet-1.5"
    found = read_framenet(folder / "fndata-1.5_frames_fulltext.tar.xz")
    assert len(found) == 23_940
    assert len({sentence.source.split("/")[0] for sentence in found}) == 78
    kept = short_far_sentences(found)
    assert len(kept) == 279
    assert len({sentence.source.rsplit("/", 1)[0] for sentence in kept}) == 245
    assert len(frame_examples(kept).examples) == 302
