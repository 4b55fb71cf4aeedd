"""The default data: compared with data.dvc before anything is replaced."""

from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from tuneprobe.corpora import default
from tuneprobe.corpora.default import fetch_default, folder_md5, listing, recorded_md5
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.corpora.registry import Corpus

Tree = dict[str, str]
WORLD, WORDNET = "a world", "a net"
MADE = {"world/train.jsonl": WORLD, "wordnet/data.noun": WORDNET}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An absent data folder; the default corpora are one small file each."""

    def write(corpus: Corpus, folder: Path, source: str | None) -> None:
        for path, text in MADE.items():
            if path.startswith(corpus.name):
                (folder / path.split("/")[1]).write_text(text)

    monkeypatch.setattr(default, "write_corpus", write)
    return tmp_path / "data"


def plant(data: Path, tree: Tree) -> None:
    for path, text in tree.items():
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        (data / path).write_text(text)


def record(data: Path, tree: Tree) -> None:
    """Write the data.dvc that belongs to a folder of these files."""
    other = data.with_name("recorded")
    other.mkdir()
    plant(other, tree)
    md5 = folder_md5(listing(other, {path.split("/")[0] for path in tree}))
    data.with_name("data.dvc").write_text(yaml.safe_dump({"outs": [{"md5": md5, "path": "data"}]}))


def tree(data: Path) -> Tree:
    return {
        path.relative_to(data).as_posix(): path.read_text()
        for path in data.rglob("*")
        if path.is_file()
    }


def is_clean(data: Path) -> bool:
    return not list(data.parent.glob(".*part"))


def test_the_fingerprint_of_a_folder_is_that_of_dvc(tmp_path, monkeypatch):
    for name in ("SITE_CACHE", "GLOBAL_CONFIG", "SYSTEM_CONFIG"):
        monkeypatch.setenv(f"DVC_{name}_DIR", str(tmp_path / name))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.chdir(tmp_path)
    plant(Path("data"), {"b/Zoë.txt": "1", "b/a b.txt": "2", "b/c/d": "3", "b/c.d": "4", "a/x": ""})
    with Repo.init(str(tmp_path), no_scm=True) as repo:
        repo.add("data")
    assert folder_md5(listing(Path("data"), ["a", "b"])) == recorded_md5(Path("data"))


def test_without_a_record_the_default_is_written(data):
    assert "'dvc add" in fetch_default(data)
    assert tree(data) == MADE
    assert is_clean(data)


def test_absent_data_comes_as_recorded(data):
    record(data, MADE)
    fetch_default(data)
    assert tree(data) == MADE
    assert is_clean(data)


def test_data_that_differ_from_the_record_are_refused_and_nothing_is_written(data):
    record(data, {**MADE, "world/train.jsonl": "another world"})
    with pytest.raises(CorpusError, match=r"Nothing was replaced\. .*dvc pull"):
        fetch_default(data)
    assert not data.exists()
    assert is_clean(data)


def test_data_that_lie_there_survive_a_refusal(data):
    before = {"world/train.jsonl": "my world", "wordnet/data.noun": WORDNET}
    plant(data, before)
    record(data, {**MADE, "world/train.jsonl": "another world"})
    with pytest.raises(CorpusError, match=r"would become \w+\.dir \(2 files\), but .* records \w+"):
        fetch_default(data)
    assert tree(data) == before


def test_data_as_recorded_are_left_alone(data, monkeypatch):
    plant(data, MADE)
    record(data, MADE)
    monkeypatch.setattr(default, "write_corpus", None)
    assert "nothing to do" in fetch_default(data)


def test_a_damaged_file_is_replaced(data):
    plant(data, {**MADE, "wordnet/data.noun": "half a n"})
    record(data, MADE)
    fetch_default(data)
    assert tree(data) == MADE


def test_a_recorded_corpus_beside_the_default_is_part_of_the_comparison(data):
    others = {"qed/qed-dev.jsonlines": "{}"}
    plant(data, others)
    record(data, {**MADE, **others})
    fetch_default(data)
    assert tree(data) == {**MADE, **others}
    assert "nothing to do" in fetch_default(data)


def test_a_corpus_that_is_not_recorded_yet_is_kept_and_named(data):
    others = {"qed/qed-dev.jsonlines": "{}"}
    plant(data, {**MADE, **others})
    record(data, MADE)
    assert "Not recorded: qed" in fetch_default(data)
    assert tree(data) == {**MADE, **others}


def test_a_record_without_an_md5_is_one_error(data):
    data.with_name("data.dvc").write_text("outs: []\n")
    with pytest.raises(CorpusError, match=r"data\.dvc does not record an md5"):
        fetch_default(data)


def test_a_record_of_no_file_is_refused(data):
    record(data, {})
    data.mkdir(exist_ok=True)
    with pytest.raises(CorpusError, match=r"data\.dvc records 0 files.*git checkout"):
        fetch_default(data)
    assert tree(data) == {}
