"""What an edit makes DVC run again: the stages that see it, and all that follow from them.

Computed from the resolved graph, without running a stage; DVC runs fewer where a stage that ran
again made the bytes it had made before.
"""

import shutil
import subprocess
from collections.abc import Callable
from fnmatch import filter as matching
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import networkx
import pytest
import yaml
from dvc.repo import Repo

PAGE = ("report",)
NUMBERS = ("collect", "report")
READING = ("represent@*", "represent-finetuned@*", "evaluate@*", "pairwise@*")
LABEL_PROBES = ("classify@*", "geometry@*", "similarity@*", "cross-task@*")
LABEL_CHANGES = tuple(f"change@*-world-{n}-13" for n in ("pos", "dep", "ps-*", "trec-50"))
READER_CHANGE = ("change@*-world-qa-13", "patch@*")
OF_PAIRS = ("pairwise@*", "patch@*")
LABEL_STATES = ("represent-labels-finetuned@*", "represent-cross@*", "snapshots@*", "dynamics@*")


class Plan(NamedTuple):
    """What each stage sees, by the stage's name, and which stages read its outputs."""

    seen: dict[str, Any]
    readers: dict[str, set[str]]

    def reruns(self, before: "Plan") -> set[str]:
        """Stages that see something new, or read what such a stage makes."""
        found = {name for name in self.seen if self.seen[name] != before.seen.get(name)}
        for name in list(found):
            found |= self.readers[name]
        return found - {"data.dvc"}


@pytest.fixture(scope="module")
def workspace(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the graph is made of, to edit."""
    folder = tmp_path_factory.mktemp("workspace")
    for name in ("src", "stages"):
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".dvc").mkdir()
    for name in ("dvc.yaml", "params.yaml", "data.dvc", ".dvc/config", ".dvcignore"):
        shutil.copy(root / name, folder / name)
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def shipped(workspace: Path) -> Plan:
    """The plan of the repository as it is."""
    return plan(workspace)


def plan(folder: Path) -> Plan:
    digests: dict[Path, list[str]] = {}  # many stages see the same packages

    def digest(path: Path) -> list[str]:
        if path not in digests:
            files = sorted(path.rglob("*")) if path.is_dir() else [path]
            digests[path] = [sha256(f.read_bytes()).hexdigest() for f in files if f.is_file()]
        return digests[path]

    params = yaml.load((folder / "params.yaml").read_text(), yaml.CSafeLoader)
    with Repo(str(folder)) as repo:
        graph = repo.index.graph
        return Plan(
            {name_of(stage): sight(stage, folder, params, digest) for stage in graph},
            {name_of(s): {name_of(r) for r in networkx.ancestors(graph, s)} for s in graph},
        )


def name_of(stage: Any) -> str:
    return stage.name if stage.cmd else Path(stage.path).name


def sight(stage: Any, folder: Path, params: Any, digest: Callable[[Path], list[str]]) -> Any:
    """The command, the values of the parameters, the bytes of the files that no stage makes."""
    values, files = {}, {}
    for dep in stage.deps:
        if hasattr(dep, "params"):
            values |= {key: value_at(params, key) for key in dep.params}
        else:
            files[dep.def_path] = digest(folder / dep.def_path)
    tracked = stage.outs[0].hash_info.value if not stage.cmd else None
    return stage.cmd, values, files, tracked


def value_at(params: Any, key: str) -> Any:
    """The value of a dotted key; DVC would parse the whole file for each stage."""
    for part in key.split("."):
        params = params[int(part) if isinstance(params, list) else part]
    return params


def edited(file: Path, text: str) -> Plan:
    """The plan with another text in a file, which is put back."""
    kept = file.read_text()
    assert text != kept
    folder = next(parent for parent in file.parents if (parent / "dvc.yaml").exists())
    try:
        file.write_text(text)
        return plan(folder)
    finally:
        file.write_text(kept)


def named(plan: Plan, patterns: tuple[str, ...]) -> set[str]:
    """The stages of these names; a pattern must name one at least."""
    found = [matching(plan.seen, pattern) for pattern in patterns]
    assert all(found), f"no stage is called so: {patterns}"
    return {name for names in found for name in names}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("focus", "pretrained", NUMBERS),
        ("finetune.learning_rate", 3e-5, ("finetune@*", *READING[1:], *READER_CHANGE, *NUMBERS)),
        ("prepare.pairs.per_probe", 10, ("prepare-pairs@*", *READING[:2], *OF_PAIRS, *NUMBERS)),
        (
            "intervals.bootstrap",
            10,
            (
                *("evaluate@*", "evaluate-texts@*", "pairwise@*", "classify@*", "cross-task@*"),
                *("attention@*", "ablate@*", "pair-heads@*", "change@*", "patch@*"),
                "change-steps@*",
                *NUMBERS,
            ),
        ),
        ("pairwise.equivalence_margin", 1.0, ("pairwise@*", *NUMBERS)),
        ("evaluate.top_k", 5, ("evaluate@*", "change@*", *NUMBERS)),
        ("change.max_texts", 10, ("change@*", "change-steps@*", *NUMBERS)),
        ("change.dynamics.steps", [3], ("change-steps@*", *NUMBERS)),
        ("change.seeds", [14], ("change-seeds@*-14", *NUMBERS)),
        ("change.patch.per_probe", 10, ("patch@*", *NUMBERS)),
        (
            "geometry.finetune.epochs",
            1,
            (
                *("finetune-labels@*", *LABEL_STATES, *LABEL_PROBES, "pair-heads@*"),
                *(*LABEL_CHANGES, "change-steps@*", *NUMBERS),
            ),
        ),
        ("geometry.snapshot_every", 5, ("snapshots@*", "dynamics@*", *NUMBERS)),
        ("geometry.classify.initialisations", 5, ("classify@*", "cross-task@*", *NUMBERS)),
        (
            "geometry.directprobe.min_cluster_size",
            7,
            ("geometry@*", "similarity@*", *NUMBERS),
        ),
        ("geometry.directprobe.rtol", 0.1, (*LABEL_PROBES[1:], "dynamics@*", *NUMBERS)),
        ("geometry.similarity.zero_fill", True, ("similarity@*", *NUMBERS)),
        ("attention.patterns.epochs", 1, ("patterns", "attention@*", *NUMBERS)),
        ("attention.maps.rows", "max", ("attention@*", *NUMBERS)),
        ("attention.ablate.max_texts", 10, ("ablate@*", *NUMBERS)),
        ("attention.pair_heads.pairing", "zip", ("pair-heads@*", *NUMBERS)),
        ("encoders.mine", {"path": "mine"}, PAGE),
        ("tasks.mine", {"format": "trec", "path": "mine", "target": "fine"}, PAGE),
        (
            "tasks.world-pos.target",
            "deprel",
            (
                "prepare-labels@world-pos",
                "*-labels*@minilm-l6-world-pos*",
                "classify@minilm-l6-world-pos-13",
                "geometry@minilm-l6-world-pos-13",
                "similarity@minilm-l6-world-pos-13",
                "snapshots@minilm-l6-world-pos-13",
                "dynamics@minilm-l6-world-pos-13",
                "represent-cross@minilm-l6-world-ps-fxn-world-pos-13",
                "cross-task@*",
                "change@minilm-l6-world-pos-13",
                *NUMBERS,
            ),
        ),
        (
            "tasks.world-sst2.version",
            2,
            (
                "prepare-texts@world-sst2",
                "finetune-texts@minilm-l6-world-sst2-*",
                "evaluate-texts@minilm-l6-world-sst2-13",
                "attention@minilm-l6-world-sst2-13",
                "ablate@minilm-l6-world-sst2-13",
                "change@minilm-l6-world-sst2-13",
                *NUMBERS,
            ),
        ),
        (
            "tasks.world.version",
            2,
            (
                *("*@world", "*@minilm-l6-world", "*@minilm-l6-world-13", "finetune@*"),
                *(*READER_CHANGE, *NUMBERS),
            ),
        ),
        (
            "attention.tasks",
            ["mrpc", "world-rte", "world-sst2"],
            (
                "prepare-texts@mrpc",
                "finetune-texts@minilm-l6-mrpc-*",
                "evaluate-texts@minilm-l6-mrpc-13",
                "attention@minilm-l6-mrpc-13",
                "ablate@minilm-l6-mrpc-13",
                *NUMBERS,
            ),
        ),
        ("attention.tasks", [], NUMBERS),
        (
            "geometry.tasks",
            ["world-pos", "world-dep", "world-ps-role", "world-ps-fxn", "world-trec-50", "ewt-pos"],
            ("prepare-labels@ewt-pos", "*@minilm-l6-ewt-pos", "*@minilm-l6-ewt-pos-13", *NUMBERS),
        ),
        ("pairwise.tasks", ["world", "xquad"], ("*@xquad", "*@minilm-l6-xquad*", *NUMBERS)),
        (
            "geometry.dynamics.tasks",
            ["world-ps-role", "world-dep"],
            ("snapshots@*-dep-13", "dynamics@*-dep-13", *NUMBERS),
        ),
        (
            "geometry.cross.tuned_on",
            ["world-ps-role", "world-pos", "world-dep"],
            ("represent-cross@*-world-dep-13", "cross-task@*", *NUMBERS),
        ),
        (
            "attention.pair_heads.tasks",
            [
                {"task": "world-dep", "tuned_on": "world-dep"},
                {"task": "world-ps-role", "tuned_on": "world-dep"},
            ],
            ("pair-heads@minilm-l6-linked1-13", *NUMBERS),
        ),
        ("run.seeds", [13, 14], ("*-14", *NUMBERS)),
        ("run.encoders", ["minilm-l6", "bert-tiny"], ("*@bert-tiny*", *NUMBERS)),
        (
            "run.draws",
            [13, 14],
            (
                "represent@*",
                "pairwise@*",
                *NUMBERS,
            ),
        ),
    ],
)
def test_a_parameter_reruns_its_chain_alone(
    workspace: Path, shipped: Plan, key: str, value: object, expected: tuple[str, ...]
) -> None:
    new = changed(workspace, key, value)
    assert new.reruns(shipped) & set(new.seen) == named(new, expected)


def changed(workspace: Path, key: str, value: object) -> Plan:
    """The plan with another value of one parameter."""
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    *parents, last = key.split(".")
    block = params
    for parent in parents:
        block = block[parent]
    assert block.get(last) != value
    block[last] = value
    return edited(workspace / "params.yaml", yaml.safe_dump(params))


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("src/tuneprobe/page/page.html.jinja", NUMBERS),
        ("src/tuneprobe/page/plots/layer_curves.json", NUMBERS),
        ("stages/collect.py", ("collect",)),
        ("src/tuneprobe/studies/pairwise/probe/study.py", (*OF_PAIRS, *NUMBERS)),
        (
            "src/tuneprobe/studies/geometry/directprobe/hulls.py",
            (*LABEL_PROBES[1:], "dynamics@*", *NUMBERS),
        ),
        ("src/tuneprobe/studies/attention/ablation/sweep.py", ("ablate@*", *NUMBERS)),
        (
            "src/tuneprobe/studies/pairwise/pairs/wordnet.py",
            ("prepare-pairs@*", *READING[:2], *OF_PAIRS, *NUMBERS),
        ),
        ("src/tuneprobe/artifacts.py", ()),
        ("src/tuneprobe/cli.py", ()),
    ],
)
def test_a_file_reruns_what_imports_it(
    workspace: Path, shipped: Plan, file: str, expected: tuple[str, ...]
) -> None:
    new = edited(workspace / file, (workspace / file).read_text() + "\n")
    assert new.reruns(shipped) == named(new, expected)


def test_another_encoder_keeps_the_examples_and_the_pattern_network(
    workspace: Path, shipped: Plan
) -> None:
    new = changed(workspace, "run.encoders", ["bert-tiny"])
    kept = named(new, ("prepare-*", "patterns", "annotator", "data.dvc"))
    assert new.reruns(shipped) == set(new.seen) - kept


def test_another_first_seed_reruns_what_measures_random_weights(
    workspace: Path, shipped: Plan
) -> None:
    new = changed(workspace, "run.seeds", [14, 13])
    kept = {name for name in new.seen if name.endswith("-13")} - new.reruns(shipped)
    assert kept >= named(new, ("finetune*-13", "ablate*-13", "dynamics*-13", "cross-task*-13"))
    assert not kept & named(new, ("classify*-13", "attention*-13", "pairwise*-13", "evaluate*-13"))


def test_other_data_rerun_all_but_the_pattern_network(workspace: Path, shipped: Plan) -> None:
    text = (workspace / "data.dvc").read_text()
    new = edited(workspace / "data.dvc", text.replace("md5: ", "md5: 0", 1))
    kept = named(new, ("patterns", "encoder@*", "annotator", "data.dvc"))
    assert new.reruns(shipped) == set(new.seen) - kept
