"""dvc.yaml: its dependencies cover the imports, its params the keys used, its paths paths.py."""

import ast
import runpy
import shlex
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from tuneprobe import paths
from tuneprobe.inventory import Inventory
from tuneprobe.params import Params, load_params

# Modules that check, name, write or start something; none of them can change a number.
PLUMBING = {
    "__init__",
    "artifacts",
    "backends",
    "digests",
    "errors",
    "kept",
    "params",
    "paths",
    "remedy",
    "stage",
    "states",
    "tasks",
    "yaml_file",
}

# What the methods of `Params` read, by the options of the command.
NAMED = {
    "encoder_source": ["encoders.{encoder}"],
    "encoder_settings": ["encoders.{encoder}", "linear"],
    "tuned_elsewhere": ["encoders.{encoder}"],
    "followed_elsewhere": ["encoders.{encoder}"],
    "tuning": ["{study}.finetune"],
    "task": ["tasks.{task}"],
    "run.draws_beside": ["run.draws", "run.seeds.0"],
    "run.first_draw_beside": ["run.draws.0", "run.seeds.0"],
}

# Lists that become stages; the stages that gather them declare them.
MATRIX = {"pairwise.tasks", "geometry.tasks", "attention.tasks", "attention.frames", "change.tasks"}
MATRIX |= {"prepare.frames"}  # of a list that is empty by default
LINES = 500  # of dvc.yaml


@pytest.fixture(scope="module")
def stages(root: Path):
    """The resolved stages of the default parameters."""
    with Repo(str(root)) as repo:
        yield [stage for stage in repo.index.stages if stage.cmd]


def imported_modules(script: Path, source: Path) -> set[Path]:
    """Files of the library that `script` imports, directly or not."""
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        new = {
            file for name in imported_names(waiting.pop()) for file in module_files(name, source)
        }
        waiting += new - found
        found |= new
    return found


@cache
def imported_names(path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return frozenset(names)


def module_files(name: str, source: Path) -> list[Path]:
    if not name.startswith("tuneprobe."):
        return []
    stem = source / Path(*name.split(".")[1:])
    return [file for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.exists()]


def relative(outs, root: Path) -> set[str]:
    return {Path(out.fs_path).relative_to(root).as_posix() for out in outs if out.fs_path}


def script_of(stage, root: Path) -> Path:
    return root / next(word for word in stage.cmd.split() if word.startswith("stages/"))


def file_deps(stage, root: Path) -> set[str]:
    return relative([dep for dep in stage.deps if not hasattr(dep, "params")], root)


def test_every_stage_depends_on_its_script_and_on_all_that_it_imports(stages, root: Path) -> None:
    source = root / "src" / "tuneprobe"
    missing = {}
    for stage in stages:
        script = script_of(stage, root)
        needed = {script} | {
            file for file in imported_modules(script, source) if file.stem not in PLUMBING
        }
        names = {file.relative_to(root).as_posix() for file in needed}
        lacking = {name for name in names if not covered(name, file_deps(stage, root))}
        if lacking:
            missing[stage.addressing] = sorted(lacking)
    assert not missing, yaml.safe_dump(missing)


def covered(name: str, deps: set[str]) -> bool:
    return name in deps or any(name.startswith(f"{dep}/") for dep in deps)


def test_no_stage_depends_on_code_that_it_does_not_import(stages, root: Path) -> None:
    source = root / "src" / "tuneprobe"
    for stage in stages:
        files = imported_modules(script_of(stage, root), source) | {script_of(stage, root)}
        files |= {file.with_suffix(".yaml") for file in files}  # read by the module beside it
        files |= {file.with_name("published.yaml") for file in files}  # by a study's page
        names = {file.relative_to(root).as_posix() for file in files}
        for dep in file_deps(stage, root):
            if dep.startswith(("src/", "stages/")):
                assert any(covered(name, {dep}) for name in names), f"{stage.addressing}: {dep}"


def declared_params(stage) -> set[str]:
    return {key for dep in stage.deps if hasattr(dep, "params") for key in dep.params}


def used_params(script: Path) -> set[str]:
    """Dotted keys read as attributes of a name `params`, and the encoder's source."""
    used = set()
    for node in ast.walk(ast.parse(script.read_text())):
        chain, inner = [], node
        while isinstance(inner, ast.Attribute):
            chain.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id == "params" and chain:
            used.add(".".join(reversed(chain)).removesuffix(".model_dump"))
    used = {key for key in used if not any(other.startswith(f"{key}.") for other in used)}
    return used - {"model_dump"} | (set(Params.model_fields) if "model_dump" in used else set())


def options(stage) -> dict[str, str]:
    """The options that a command names, by their names."""
    words = shlex.split(stage.cmd)
    return {
        word.removeprefix("--").rpartition(".")[2]: value
        for word, value in pairwise(words)
        if word.startswith("--")
    }


def test_every_parameter_that_a_stage_reads_is_declared(stages, root: Path) -> None:
    for stage in stages:
        declared, given = declared_params(stage), options(stage)
        used = used_params(script_of(stage, root))
        if stage.name.startswith("represent") and "seed" in given:
            used -= {"run.draws"}  # of random weights, which no seed of tuning has
        for name in used:
            for key in (key.format(**given) for key in NAMED.get(name, [name])):
                assert any(f"{key}.".startswith(f"{known}.") for known in declared) or any(
                    f"{known}.".startswith(f"{key}.") for known in declared
                ), f"{stage.addressing} reads {key} but declares only {sorted(declared)}"


def test_every_parameter_belongs_to_a_stage(stages, root: Path) -> None:
    params = load_params(root / "params.yaml")
    declared = {key for stage in stages for key in declared_params(stage) if stage.name != "report"}
    assert "focus" in declared
    for key, block in params.model_dump(exclude={"encoders", "tasks"}).items():
        leaves = [f"{key}.{leaf}" for leaf in block] if isinstance(block, dict) else [key]
        for leaf in set(leaves) - MATRIX:
            assert any(
                f"{leaf}.".startswith(f"{name}.") or f"{name}.".startswith(f"{leaf}.")
                for name in declared
            ), f"unused: {leaf}"


def test_every_stage_that_reads_a_task_sees_its_definition(stages) -> None:
    for stage in stages:
        if script_reads_task(stage):
            assert f"tasks.{options(stage)['task']}" in declared_params(stage), stage.addressing


def script_reads_task(stage) -> bool:
    script = next(word for word in stage.cmd.split() if word.startswith("stages/"))
    return "params.task(" in Path(stage.repo.root_dir, script).read_text()


def test_dvc_yaml_and_paths_spell_the_same_places(stages, root: Path) -> None:
    params = load_params(root / "params.yaml")
    (encoder,), (seed,) = params.run.encoders, params.run.seeds
    qa = [paths.questions(task) for task in params.pairwise.tasks]
    pairs = [paths.pairs(task) for task in params.pairwise.tasks]
    labelled, texts = params.geometry.tasks, params.attention.tasks
    crossed, others = params.geometry.cross.tasks, params.geometry.cross.tuned_on
    tuned = [(task, state) for task in qa for state in ("frozen", "finetuned")]
    tuned += [(task, "finetuned") for task in labelled]
    tuned += [(t, state) for t in texts for state in ("frozen", "finetuned", "random-finetuned")]
    expected = {
        paths.SUMMARY,
        paths.PLOTS,
        paths.OVERVIEW,
        paths.PAGE,
        paths.FIGURES,
        paths.PATTERNS,
        paths.ANNOTATOR,
        paths.encoder(encoder),
        *(paths.examples(t) for t in (*qa, *pairs, *labelled, *texts, *params.attention.frames)),
        *(paths.checkpoint(encoder, *one, seed) for one in tuned),
        *(paths.training(encoder, *one, seed) for one in tuned),
        *(table.parent for tables in Inventory.of(params).studies.values() for table in tables),
        *(paths.representation(encoder, t, "pretrained", seed) for t in (*pairs, *labelled)),
        *(paths.representation(encoder, t, "random", seed).parent for t in (*pairs, *labelled)),
        *(paths.representation(encoder, t, "finetuned", seed) for t in (*pairs, *labelled)),
        *(paths.cross_representation(encoder, t, o, seed) for t in crossed for o in others),
        *(paths.snapshots(encoder, task, seed) for task in params.geometry.dynamics.tasks),
    }
    outs = {name for stage in stages for name in relative(stage.outs, root)}
    assert outs == {path.as_posix() for path in expected}


def test_every_input_of_a_stage_is_an_output_or_a_folder_of_them(stages, root: Path) -> None:
    outs = {name for stage in stages for name in relative(stage.outs, root)} | {"data"}
    folders = {"examples", "results", "training"}
    for stage in stages:
        for dep in file_deps(stage, root):
            gathered = dep in folders or "/crossed/" in dep
            assert dep in outs or dep.startswith(("src/", "stages/", ".dvc/plots")) or gathered, (
                f"{stage.addressing}: {dep}"
            )
            if gathered:
                assert any(out.startswith(f"{dep}/") for out in outs), f"{stage.addressing}: {dep}"


def test_artifacts_are_named_for_the_default_run(stages, root: Path) -> None:
    outs = {name for stage in stages for name in relative(stage.outs, root)}
    artifacts = yaml.safe_load((root / "dvc.yaml").read_text())["artifacts"]
    assert {entry["path"] for entry in artifacts.values()} <= outs


def test_dvc_yaml_stays_short(root: Path) -> None:
    assert len((root / "dvc.yaml").read_text().splitlines()) <= LINES


def test_every_stage_script_explains_itself(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for script in sorted((root / "stages").glob("*.py")):
        monkeypatch.setattr(sys, "argv", [str(script), "--help"])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(script), run_name="__main__")
        assert not ended.value.code
        assert "Usage:" in capsys.readouterr().out
        assert ast.get_docstring(ast.parse(script.read_text())), script.name
