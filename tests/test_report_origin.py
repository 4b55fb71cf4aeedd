"""What the page says of where a run comes from, and of where it leaves the papers."""

import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import yaml
from made_up_results import made_up_artifacts, made_up_funnel, made_up_params
from repository import git

from tuneprobe.corpora.registry import Corpus, CorpusFile, get_corpus
from tuneprobe.formats.results import to_frame
from tuneprobe.page.deviations import deviations, paper_settings
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.origin import (
    Origin,
    code_commit,
    corpora_of,
    files_sha256,
    library_versions,
)
from tuneprobe.page.page import render_page
from tuneprobe.params import load_params


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Under Git: a pipeline whose one stage depends on ``src/numbers.py``."""
    stage = {"cmd": "", "deps": ["src/numbers.py", "data"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"one": stage}}))
    (tmp_path / "src").mkdir()
    for name in ("numbers", "other"):
        (tmp_path / f"src/{name}.py").write_text("1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "all")
    return tmp_path


def test_the_commit_is_the_last_one_that_could_change_a_number(repository):
    first = git(repository, "rev-parse", "HEAD")
    assert code_commit(repository) == first
    (repository / "src/other.py").write_text("2\n")
    git(repository, "commit", "-q", "-a", "-m", "other")
    assert code_commit(repository) == first
    (repository / "src/numbers.py").write_text("2\n")
    assert code_commit(repository) == f"{first}, with uncommitted changes"
    git(repository, "commit", "-q", "-a", "-m", "numbers")
    assert code_commit(repository) == git(repository, "rev-parse", "HEAD") != first


def test_there_is_no_commit_outside_of_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    assert code_commit(tmp_path) == ""


@pytest.fixture
def tasks_of(root):
    """A function that gives the entries of some built-in tasks."""
    tasks = load_params(root / "params.yaml").tasks
    return lambda names: [tasks[name] for name in names]


def test_corpora_are_those_of_the_tasks_their_parts_named_once_and_wordnet(tasks_of):
    tasks = tasks_of(["nq-passages", "world-rte", "world-pos"])
    assert [one.name for one in corpora_of(tasks)] == ["qed", "nq-oracle", "world", "wordnet"]


def test_a_corpus_that_users_bring_is_not_registered_and_only_pairs_read_wordnet(tasks_of):
    tasks = tasks_of(["mnli", "sick", "framenet-17"])
    assert [one.name for one in corpora_of(tasks)] == ["sick"]


def test_the_hash_of_a_corpus_is_that_of_its_list_of_files():
    files = (CorpusFile("b", "22"), CorpusFile("a", "11"))
    corpus = Corpus("x", "X", "CC0", "allowed", "", "", files=files)
    assert files_sha256(corpus) == sha256(b"11  a\n22  b\n").hexdigest()
    assert files_sha256(get_corpus("world")) == ""


def test_every_setting_of_a_paper_is_one_of_params_yaml(root):
    params = load_params(root / "params.yaml").model_dump()
    for setting in paper_settings("bert-base"):
        block = params
        for name in setting.name.split("."):
            block = block[name]


def test_settings_that_leave_a_paper_are_listed_and_the_others_are_not():
    params = {
        "run": {"encoders": ("bert-base",)},
        "finetune": {"epochs": 2, "learning_rate": 1e-4},
        "prepare": {"labels": {"train": 256, "test": None}},
        "geometry": {"finetune": {"epochs": 3}, "classify": {"hidden": ((32, 32), (64, 64))}},
    }
    found = {row[0]: row[1:] for row in deviations(params).rows}
    assert found.keys() == {
        "finetune.learning_rate",
        "prepare.labels.train",
        "geometry.classify.hidden",
    }
    assert found["finetune.learning_rate"] == ["0.0001", "4e-05", "Cai et al., their code"]
    assert found["prepare.labels.train"] == ["256", "all", "Zhou & Srikumar"]
    assert found["geometry.classify.hidden"][0] == "32×32, 64×64"
    small = {"run": {"encoders": ("bert-tiny",)}, "geometry": {"finetune": {"epochs": 3}}}
    assert [row[:3] for row in deviations(small).rows] == [
        ["run.encoders", "bert-tiny", "bert-base"],
        ["geometry.finetune.epochs", "3", "10"],
    ]


def methods_of(params: dict[str, object], origin: Origin) -> str:
    """Text of the methods of a page without studies."""
    inputs = PageInputs(
        to_frame([]),
        made_up_funnel(),
        params,
        made_up_artifacts(),
        encoder="minilm-l6",
        corpus="world",
        origin=origin,
    )
    page = render_page(inputs, chapters=[])
    methods = page[page.index('<section id="methods"') :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", methods))


def test_the_methods_name_corpora_weights_seed_libraries_and_commit(tasks_of):
    origin = Origin(corpora_of(tasks_of(["world"])), {"torch": "2.0"}, "5e" * 20)
    text = methods_of(made_up_params(), origin)
    assert "world A small closed world, written by this project CC0 1.0 generated (syn" in text
    assert f"8 files, {files_sha256(get_corpus('wordnet'))[:16]}" in text
    assert f"minilm-l6 pre-trained {'5e' * 32}" in text
    assert f"minilm-l6 fine-tuned {'a7' * 32}" in text
    assert "Seed 13: this run has one" in text
    assert "torch 2.0" in text
    assert f"commit {'5e' * 20}" in text
    assert "finetune.learning_rate 0.0001 4e-05" in text
    assert "‘world’ is synthetic" in text


def test_numbers_of_several_seeds_are_said_to_be_their_means():
    params = made_up_params() | {"run": {"encoders": ["minilm-l6"], "seeds": [13, 14]}}
    text = methods_of(params, Origin())
    assert "Seeds 13, 14: numbers are means over them" in text
    assert "intervals cover other examples and other seeds" in text


def test_the_versions_are_those_of_what_is_installed():
    assert library_versions()["numpy"] == np.__version__
