"""A whole run of two tiny encoders, two seeds and two draws, and what is collected from it."""

import json
import os
import re
import runpy
import shlex
import shutil
import string
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import networkx
import pandas as pd
import pytest
import torch
import yaml
from conftest import draw_nothing
from dvc.repo import Repo
from repository import git
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, BertTokenizerFast

from tuneprobe import paths
from tuneprobe.formats.results import read_results
from tuneprobe.inventory import Inventory
from tuneprobe.page.reading import read_inputs
from tuneprobe.params import load_params

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

SENTENCES, QUESTIONS, ROWS = 120, 40, 200  # of each file of the corpus
AXES = {"encoders": ["a", "b"], "seeds": [1, 2], "draws": [5, 6]}
ONE = {"encoders": ["a"], "seeds": [1], "draws": [5]}
SMALL: dict[str, Any] = {
    "prepare.pairs.boundary": {"train": 12, "test": 8},
    "prepare.pairs.per_probe": 12,
    "prepare.labels.train": 12,
    "prepare.labels.test": 12,
    "prepare.texts.train": 24,
    "prepare.texts.test": 12,
    "finetune.window": 128,
    "intervals.bootstrap": 20,
    "pairwise.permutations": 20,
    "pairwise.boundary.iterations": 5,
    "geometry.tasks": ["world-ps-role", "world-ps-fxn"],
    "finetune.head_epochs": 2,
    "geometry.finetune.epochs": 1,
    "geometry.finetune.head_epochs": 2,
    "geometry.snapshot_every": 1,
    "geometry.dynamics.tasks": ["world-ps-role"],
    "geometry.cross": {"tasks": ["world-ps-role"], "tuned_on": ["world-ps-fxn"]},
    "geometry.classify.hidden": [[4]],
    "geometry.classify.decays": [1.0],
    "geometry.classify.initialisations": 2,
    "geometry.classify.orders": 2,
    "geometry.classify.regimen.max_epochs": 2,
    "geometry.classify.regimen.race": [1],
    "geometry.directprobe.max_nearest": 5,
    "attention.tasks": ["mine"],
    "attention.finetune.epochs": 1,
    "attention.finetune.head_epochs": 2,
    "attention.maps.max_texts": 6,
    "attention.maps.example_maps": {"count": 1, "max_pieces": 60},
    "attention.maps.sheet": 5,
    "attention.patterns": {"maps": 60, "epochs": 1, "learning_rate": 3.0e-3, "held_out": 20},
    "attention.ablate.max_texts": 6,
    "attention.frames": [],
    "attention.pair_heads.tasks": [],
    "change.tasks": ["world-qa", "world-ps-role", "mine"],
    "change.max_texts": 10,
    "change.max_questions": 8,
    "change.erase": {"tasks": ["world-ps-role"], "draws": 1},
    "change.seeds": [2],
    "change.dynamics": {"tasks": ["world-ps-role"], "steps": [1]},
    "run": AXES,
    "tasks.mine": {
        "format": "tsv",
        "path": "mine",
        "columns": {"text": "words", "label": "mood"},
    },
}


@pytest.fixture(scope="module")
def workspace(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that has run, on a small part of the made-up corpus."""
    folder = tmp_path_factory.mktemp("whole")
    for name in ("dvc.yaml", ".dvc/config", ".dvcignore", "params.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, folder / name)
    for name in ("src", "stages"):
        (folder / name).symlink_to(root / name)
    (folder / "data").mkdir()
    (folder / "data" / "wordnet").symlink_to(root / "data" / "wordnet")
    words = write_part_of_the_corpus(root / "data" / "world", folder / "data" / "world")
    words += write_table(folder / "data" / "mine")
    write_params(folder, SMALL | {"encoders": {n: {"path": f"models/{n}"} for n in "ab"}})
    for seed, name in enumerate("ab"):
        write_encoder(folder / "models" / name, words, seed)
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "begin")
    with pytest.MonkeyPatch.context() as patch:
        draw_nothing(patch)
        run(folder, everything(folder))
    return folder


def write_part_of_the_corpus(whole: Path, part: Path) -> list[str]:
    """The first sentences, questions and rows of each file; the words that they hold."""
    words: set[str] = set()
    for file in sorted(path for path in whole.rglob("*") if path.is_file()):
        ends = file.suffix in (".conllu", ".conllulex")
        lines = file.read_text(encoding="iso-8859-1").splitlines(keepends=True)
        if ends:
            kept = "".join(islice(blocks(lines), SENTENCES))
        else:
            kept = "".join(lines[: QUESTIONS if file.suffix == ".jsonl" else ROWS])
        target = part / file.relative_to(whole)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(kept, encoding="iso-8859-1")
        words |= set(re.findall(r"[^\W_]+", kept.lower()))
    return [*sorted(words), *string.punctuation]


def blocks(lines: Iterable[str]) -> Iterable[str]:
    """Sentences of a file that divides them by blank lines."""
    block = ""
    for line in lines:
        block += line
        if not line.strip():
            yield block
            block = ""


def write_table(folder: Path) -> list[str]:
    """A table of one's own; its words."""
    folder.mkdir()
    kinds = [("dull", "b"), ("fine", "a"), ("fine", "a")]
    for split, n in (("train", 40), ("test", 20)):
        rows = []
        for i in range(n):
            kind, label = kinds[i % 3]
            rows.append(f"a {kind} {split} day {i}\t{label}")
        (folder / f"{split}.tsv").write_text("\n".join(["words\tmood", *rows]) + "\n")
    return ["fine", "dull", "day", *map(str, range(40)), "train", "test"]


def write_encoder(folder: Path, words: list[str], seed: int) -> None:
    """A BERT of two layers that knows the words of the corpus and nothing else."""
    folder.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(words)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)


def write_params(folder: Path, changes: dict[str, Any]) -> None:
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        *parents, last = key.split(".")
        block = params
        for parent in parents:
            block = block[parent]
        block[last] = value
    path.write_text(yaml.safe_dump(params))


def everything(folder: Path) -> list[str]:
    """The commands of all stages, each after those that it waits for."""
    with Repo(str(folder)) as repo:
        order = list(networkx.dfs_postorder_nodes(repo.index.graph))
        return [stage.cmd for stage in order if stage.cmd]


def run(folder: Path, commands: Iterable[str]) -> None:
    """The scripts of some commands, in this process: nothing is imported twice."""
    before, arguments = Path.cwd(), sys.argv
    try:
        os.chdir(folder)
        for command in commands:
            words = shlex.split(command)
            place = next(i for i, word in enumerate(words) if word.startswith("stages/"))
            sys.argv = words[place:]
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(sys.argv[0], run_name="__main__")
            assert not ended.value.code, command
    finally:
        os.chdir(before)
        sys.argv = arguments


def collected(folder: Path) -> dict[str, bytes]:
    """What `collect` has made, by name."""
    files = (folder / "metrics").rglob("*.*")
    return {path.name: path.read_bytes() for path in files}


def test_every_row_says_whose_it_is(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    rows = Inventory.of(load_params()).results()
    assert set(rows.encoder) == {"a", "b"}
    tasks = {"world-qa", "synonyms", "world-ps-role", "world-ps-fxn"}
    assert {*tasks, "mine"} <= set(rows.task)
    seeds = rows.groupby("state").seed.agg(set)
    assert seeds["random"] == {5, 6}
    for state in ("pretrained", "finetuned", "frozen", "random-finetuned"):
        assert seeds[state] == {1, 2}, state
    values = rows[(rows.state == "random") & (rows.metric == "accuracy")]
    assert values[values.seed == 5].value.tolist() != values[values.seed == 6].value.tolist()


def test_headline_numbers_are_of_the_first_encoder_and_all_its_seeds_a_page_of_all_encoders(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    made = Inventory.of(load_params())
    assert read_inputs(load_params(), made).encoders == ["a", "b"]
    shown = made.shown(made.results())
    assert set(shown.encoder) == {"a"}
    seeds = shown.groupby("state").seed.agg(set).to_dict()
    assert {state for state in seeds if seeds[state] == {5, 6}} == {"random"}
    assert {state for state in seeds if seeds[state] == {1, 2}} == set(seeds) - {"random"}
    assert "<title>What fine-tuning changes · a on world</title>" in paths.PAGE.read_text()
    numbers = json.loads(paths.SUMMARY.read_text())
    assert {"synonyms_last", "ps_role_accuracy"} <= numbers.keys()


def test_results_of_other_runs_lie_beside_and_are_not_read(workspace: Path) -> None:
    before = collected(workspace)
    results = workspace / "results"
    shutil.copytree(results / "a", results / "c")
    shutil.copytree(results / "a" / "mine", results / "a" / "theirs")
    shutil.copytree(results / "a/mine/evaluate/seed-1", results / "a/mine/evaluate/seed-9")
    run(workspace, ["python stages/collect.py"])
    assert collected(workspace) == before


@pytest.mark.parametrize("stage", ["collect", "report"])
def test_a_result_that_params_ask_for_and_that_is_not_there_is_named(
    workspace: Path, stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = workspace / "results/b/mine/ablate/seed-2/heads.csv"
    table.rename(table.with_suffix(".away"))
    try:
        with pytest.raises(AssertionError):
            run(workspace, [f"python stages/{stage}.py"])
        assert "params.yaml asks for results/b/mine/ablate/seed-2/heads.csv, missing here" in (
            capsys.readouterr().err
        )
    finally:
        table.with_suffix(".away").rename(table)


@pytest.mark.usefixtures("undrawn")
def test_any_subset_of_the_studies_is_a_run(workspace: Path) -> None:
    kept = (workspace / "params.yaml").read_text()
    empty = {"tasks": [], "tuned_on": []}
    spaces = {"geometry.tasks": [], "geometry.dynamics.tasks": [], "geometry.cross": empty}
    off = [{"pairwise.tasks": []}, spaces, {"attention.tasks": []}]
    unchanged = {"change.tasks": [], "change.seeds": [], "change.dynamics.tasks": []}
    unchanged["change.erase.tasks"] = []
    try:
        for alone in off:  # each without all others, so that none needs another
            others = {key: value for one in off if one is not alone for key, value in one.items()}
            (workspace / "params.yaml").write_text(kept)
            write_params(workspace, others | unchanged | {"run": ONE})
            run(workspace, ["python stages/collect.py", "python stages/report.py"])
    finally:
        (workspace / "params.yaml").write_text(kept)


@pytest.mark.usefixtures("undrawn")
def test_weights_that_were_tuned_elsewhere_are_a_whole_run(workspace: Path) -> None:
    """From an entry with a base and the steps of its training to the page, on sentence pairs."""
    kept = (workspace / "params.yaml").read_text()
    for amount, name in ((0.02, "steps/checkpoint-10"), (0.05, "steps/checkpoint-30")):
        write_moved(workspace / "models" / "a", workspace / "models" / name, amount)
    mine = {"path": "models/steps/checkpoint-30", "base": "a", "steps": "models/steps"}
    changes = {
        "encoders": {"a": {"path": "models/a"}, "c": mine},
        "run": ONE | {"encoders": ["c"]},
        "geometry.tasks": ["world-ps-role"],
        "geometry.dynamics.tasks": ["world-ps-role"],
        "geometry.cross": {"tasks": [], "tuned_on": []},
        "attention.tasks": ["world-rte"],
        "change.tasks": ["world-qa", "world-ps-role", "world-rte"],
        "change.dynamics.tasks": [],
        "change.seeds": [],
    }
    try:
        write_params(workspace, changes)
        last = ("stages/collect.py", "stages/report.py")
        commands = everything(workspace)
        run(workspace, [one for one in commands if "prepare_texts.py --task world-rte" in one])
        run(workspace, [one for one in commands if "--encoder" in one and "c" in shlex.split(one)])
        run(workspace, [one for one in commands if any(script in one for script in last)])
        checkpoint = workspace / "checkpoints/c/world-ps-role/finetuned/seed-1/model.safetensors"
        given = load_file(workspace / "models/steps/checkpoint-30/model.safetensors")
        assert all(torch.equal(given[n], weight) for n, weight in load_file(checkpoint).items())
        rows = read_results(workspace / "results/c/world-ps-role/similarity/seed-1/layers.csv")
        assert {"pretrained", "finetuned"} <= set(rows.state)
        assert len(read_results(workspace / "results/c/world-rte/ablate/seed-1/heads.csv"))
        assert "pair_task_score" in json.loads((workspace / paths.SUMMARY).read_text())
        steps = pd.read_csv(workspace / "results/c/world-ps-role/dynamics/seed-1/steps.csv")
        assert set(steps.step) == {0, 10, 30}
        assert (
            "<title>What fine-tuning changes · c on world</title>"
            in (workspace / paths.PAGE).read_text()
        )
    finally:
        (workspace / "params.yaml").write_text(kept)


def write_moved(source: Path, folder: Path, amount: float) -> None:
    """The weights of an encoder, each moved by noise of this deviation."""
    shutil.copytree(source, folder)
    noise = torch.Generator().manual_seed(3)
    weights = load_file(source / "model.safetensors")
    moved = {n: w + amount * torch.randn(w.shape, generator=noise) for n, w in weights.items()}
    save_file(moved, folder / "model.safetensors", {"format": "pt"})
