"""The labelled corpora: which files are train and test, and the counts of the real ones."""

import shutil
from pathlib import Path

import pytest

from tuneprobe.corpora.fetch import fetch
from tuneprobe.corpora.labelled import LabelledText, Mark, read_labelled
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.errors import UnknownNameError

FLY = "1\tFly\t_\tVERB\t_\t_\t0\troot\t_\t_\n2\tkites\t_\tNOUN\t_\t_\t1\tobj\t_\t_\n"
OF = "1\tof\tof\tADP\tIN\t_\t0\troot\t_\t_\t_\tP\tof\tp.Whole\tp.Gestalt\t_\t_\t_\tO\n"
WHO = "HUM:ind Who flew it ?\n"


def trees(*names: str) -> str:
    """A sentence for each name, which stands in it as a word."""
    return "".join(
        f"# sent_id = {name}\n{FLY.replace('kites', f'kites-{name}')}\n" for name in names
    )


def senses(name: str) -> str:
    return f"# sent_id = {name}\n{OF.replace('of', f'of-{name}', 1)}\n"


def write(folder: Path, **files: str) -> None:
    """Files below a folder; ``__`` stands for a dot, ``_in_`` for a slash."""
    for name, text in files.items():
        path = folder / name.replace("_in_", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def sources(corpus: str, target: str, data: Path) -> dict[str, list[str]]:
    texts = read_labelled(corpus, target, data)
    return {split: [text.source for text in texts[split]] for split in texts}


def test_a_treebank_is_split_by_file_name_and_its_development_file_is_not_read(tmp_path):
    folder = tmp_path / "ud-kites"
    write(folder, **{f"x-ud-{split}__conllu": trees(split) for split in ("train", "dev", "test")})
    assert sources("ud-kites", "upos", tmp_path) == {"train": ["train"], "test": ["test"]}


def test_without_a_test_file_the_development_file_is_test(tmp_path):
    write(tmp_path / "ud-kites", train__conllu=trees("a"), dev__conllu=trees("b"))
    assert sources("ud-kites", "upos", tmp_path) == {"train": ["a"], "test": ["b"]}


def test_the_parts_of_a_long_train_file_are_read_in_their_order(tmp_path):
    folder = tmp_path / "ud-kites"
    write(folder, ud_train_b__conllu=trees("b"), ud_train_a__conllu=trees("a"))
    write(folder, ud_test__conllu=trees("t"))
    assert sources("ud-kites", "upos", tmp_path)["train"] == ["a", "b"]


def test_pud_has_one_file_whose_first_800_sentences_are_train(tmp_path):
    names = [str(number) for number in range(803)]
    write(tmp_path / "ud-pud", ud_test__conllu=trees(*names))
    assert sources("ud-pud", "upos", tmp_path) == {"train": names[:800], "test": names[800:]}


def test_a_reconstructed_train_file_is_read_until_the_real_one_is_there(tmp_path):
    folder = tmp_path / "streusle-4.2"
    write(folder, train_in_x__ud_train__conllulex__RECONSTRUCTED=senses("rebuilt"))
    write(folder, test_in_x__ud_test__conllulex=senses("t"), train_in_x__ud_train__vis="no")
    assert sources("streusle-4.2", "role", tmp_path) == {"train": ["rebuilt"], "test": ["t"]}
    write(folder, train_in_x__ud_train__conllulex=senses("real"))
    assert sources("streusle-4.2", "role", tmp_path) == {"train": ["real"], "test": ["t"]}


def test_the_files_of_trec_are_known_by_their_names(tmp_path):
    write(tmp_path / "trec", train_5500__label=WHO, TREC_10__label="NUM:date When ?\n")
    expected = {"train": ["train_5500.label:1"], "test": ["TREC_10.label:1"]}
    assert sources("trec", "fine", tmp_path) == expected


def test_world_has_every_target(tmp_path):
    for split in ("train", "dev"):
        write(
            tmp_path / "world",
            **{
                f"{split}__conllu": trees(split),
                f"{split}__conllulex": senses(split),
                f"{split}__label": WHO.replace("it", split),
                f"{split}__jsonl": "not read",
            },
        )
    marks = {
        target: read_labelled("world", target, tmp_path)["test"][0].marks
        for target in ("upos", "deprel", "role", "function", "fine")
    }
    assert marks == {
        "upos": (Mark("VERB", (0,)), Mark("NOUN", (1,))),
        "deprel": (Mark("obj", (1, 0)),),
        "role": (Mark("p.Whole", (0,)),),
        "function": (Mark("p.Gestalt", (0,)),),
        "fine": (Mark("HUM:ind", ()),),
    }


def test_a_folder_without_files_says_how_to_get_them(tmp_path):
    message = r"ud-ewt has no \*\.conllu .*: run 'tuneprobe data fetch ud-ewt'"
    with pytest.raises(CorpusError, match=message):
        read_labelled("ud-ewt", "upos", tmp_path)


@pytest.mark.parametrize("only", ["train", "dev"])
def test_one_file_alone_is_refused(tmp_path, only):
    write(tmp_path / "ud-gum", **{f"x-ud-{only}__conllu": trees("a")})
    message = rf"ud-gum has only x-ud-{only}\.conllu: expected a train file and a test or dev"
    with pytest.raises(CorpusError, match=message):
        read_labelled("ud-gum", "upos", tmp_path)


def test_a_sentence_in_train_and_test_is_refused(tmp_path):
    write(tmp_path / "ud-kites", train__conllu=trees("a", "b"), test__conllu=trees("c", "b"))
    message = r"the sentence b of \S*test\.conllu is in \S*train\.conllu too"
    with pytest.raises(CorpusError, match=message):
        read_labelled("ud-kites", "upos", tmp_path)


def test_a_folder_without_files_and_a_target_that_a_corpus_lacks_are_named(tmp_path):
    with pytest.raises(CorpusError, match=r"treck has no \*\.label"):
        read_labelled("treck", "fine", tmp_path)
    with pytest.raises(UnknownNameError, match=r"target of trec 'upos'.*Available: fine"):
        read_labelled("trec", "upos", tmp_path)


@pytest.fixture(scope="module")
def real(shared_data, tmp_path_factory) -> Path:
    """A data folder with the real corpora, as 'tuneprobe data fetch --from' makes it."""
    data = tmp_path_factory.mktemp("real") / "data"
    for corpus in ("ud-pud", "ud-partut", "streusle-4.2", "streusle-4.7.1", "trec"):
        fetch(corpus, data, str(shared_data / "labelling"))
    yield data
    shutil.rmtree(data)


def labels(texts: list[LabelledText]) -> list[str]:
    return [mark.label for text in texts for mark in text.marks]


# Examples of train and test, labels of train. PUD is a later release than that of Zhou and
# Srikumar (2022), which had four words less in train: 16,854 tags and 16,054 relations.
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("corpus", "target", "train", "test", "n_labels"),
    [
        ("ud-pud", "upos", 16_858, 4_322, 17),
        ("ud-pud", "deprel", 16_058, 4_122, 46),
        ("ud-partut", "upos", 43_504, 3_408, 17),
        ("streusle-4.2", "role", 4_282, 457, 46),
        ("streusle-4.2", "function", 4_282, 457, 40),
        ("streusle-4.7.1", "role", 4_285, 457, 46),
        ("streusle-4.7.1", "function", 4_285, 457, 38),
        ("trec", "fine", 5_452, 500, 50),
    ],
)
def test_the_real_corpora_have_their_counts(real, corpus, target, train, test, n_labels):
    found = {split: labels(texts) for split, texts in read_labelled(corpus, target, real).items()}
    assert (len(found["train"]), len(found["test"])) == (train, test)
    assert len(set(found["train"])) == n_labels
    assert set(found["test"]) <= set(found["train"])


@pytest.mark.shared_data
def test_the_real_sentences_with_prepositions_have_their_count(real):
    train = read_labelled("streusle-4.2", "role", real)["train"]
    assert sum(bool(text.marks) for text in train) == 1_857


@pytest.mark.shared_data
def test_the_one_byte_of_trec_that_is_not_ascii_is_read_as_latin_1(real):
    questions = read_labelled("trec", "fine", real)["train"]
    words = {word for question in questions for word in question.words if not word.isascii()}
    assert words == {"sister\xf0city"}
