"""WordNet: synonyms share a synset, and a damaged database is refused."""

import re
import tarfile
from pathlib import Path

import pytest
from made_up_wordnet import write_wordnet

from tuneprobe.corpora.lines import CorpusError
from tuneprobe.studies.pairwise.pairs.wordnet import PARTS_OF_SPEECH, WordNet, WordNetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_wordnet(tmp_path / "wordnet")


def test_synonyms_are_the_other_lemmas_of_all_synsets(folder: Path) -> None:
    wordnet = WordNet.read(folder)
    assert wordnet.synonyms("cinema") == {"film", "movie", "house"}
    assert wordnet.synonyms("film") == {"cinema", "movie", "shoot"}


def test_equal_addresses_in_two_parts_of_speech_are_two_synsets(folder: Path) -> None:
    wordnet = WordNet.read(folder)
    assert wordnet.synonyms("shoot") == {"film"}
    assert wordnet.synonyms("film", "v") == {"shoot"}
    assert wordnet.synonyms("film", "n") == {"cinema", "movie"}


def test_case_does_not_matter_and_unknown_words_have_no_synonyms(folder: Path) -> None:
    wordnet = WordNet.read(folder)
    assert wordnet.synonyms("Big") == {"large"}
    assert wordnet.synonyms("now") == wordnet.synonyms("zyx") == frozenset()


def test_a_missing_folder_says_how_to_fetch_it(tmp_path: Path) -> None:
    with pytest.raises(WordNetError, match=r"index\.noun is missing.*tuneprobe data fetch wordnet"):
        WordNet.read(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "movie n 1 1 @ 1 0 0000",  # an address cut in the middle
        "movie n 2 1 @ 1 0 00000001",  # fewer addresses than announced
        "movie v 1 1 @ 1 0 00000001",  # another part of speech
        "movie n",
        "movie n one 1 @ 1 0 00000001",
        "",
    ],
)
def test_a_malformed_line_is_refused_with_its_place(folder: Path, line: str) -> None:
    with (folder / "index.noun").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(WordNetError, match=r"index\.noun:6: not a line of a WordNet 3\.0 index"):
        WordNet.read(folder)


def test_an_index_that_is_no_text_or_has_no_lemma_is_refused(folder: Path) -> None:
    (folder / "index.noun").write_bytes(b"\xff\xfe")
    with pytest.raises(CorpusError, match=r"index\.noun:1: .*UTF-8"):
        WordNet.read(folder)
    (folder / "index.noun").write_bytes(b"")
    with pytest.raises(WordNetError, match=r"index\.noun has no lemma"):
        WordNet.read(folder)


@pytest.mark.shared_data
def test_the_index_files_of_wordnet_hold_every_synset_of_its_data_files(
    shared_data: Path, tmp_path: Path
) -> None:
    (package,) = (shared_data / "lexical" / "WordNet-3.0").glob("wordnet-base*.tar.xz")
    with tarfile.open(package, "r|xz") as archive:
        for member in archive:
            if re.search(r"/(index|data)\.\w+$", member.name):
                (tmp_path / Path(member.name).name).write_bytes(archive.extractfile(member).read())
    wordnet = WordNet.read(tmp_path)
    for pos, name in PARTS_OF_SPEECH.items():
        assert wordnet.members[pos] == members_by_data_file(tmp_path / f"data.{name}")
    assert {"movie", "motion_picture"} <= wordnet.synonyms("film")


def members_by_data_file(path: Path) -> dict[int, frozenset[str]]:
    """A line: address, file, type, number of words in hexadecimal, then word and sense in turn."""
    members = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("  "):
            fields = line.split(" ")
            words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
            members[int(fields[0])] = frozenset(
                re.sub(r"\((a|p|ip)\)$", "", word).lower() for word in words
            )
    return members
