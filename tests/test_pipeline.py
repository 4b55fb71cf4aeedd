"""dvc.yaml: its dependencies cover the imports, its params the keys used, its paths paths.py."""

import ast
import runpy
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from tuneprobe import paths
from tuneprobe.inventory import CROSSED, FOLLOWED, LABEL_TASKS
from tuneprobe.params import Params, load_params
from tuneprobe.states import STATES

# Modules that check, name, write or start something; none of them can change a number.
PLUMBING = {
    "__init__",
    "artifacts",
    "backends",
    "errors",
    "params",
    "paths",
    "stage",
    "states",
    "tasks",
}


# Parameters of how, not of what: no result depends on them, so no stage does; `launch` is a part of
# the commands themselves.
HOW = {"backend", "launch", "workers"}

# What the methods of `Params` read; the last word of the command names the study.
NAMED = {"encoder_source": "encoders.{encoder}", "tuning": "{study}.finetune"}


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
    return used - {"model_dump"} | (set(Params.model_fields) if "model_dump" in used else set())


def test_every_parameter_that_a_stage_reads_is_declared(stages, root: Path) -> None:
    encoder = load_params(root / "params.yaml").encoder
    for stage in stages:
        declared = declared_params(stage)
        for key in used_params(script_of(stage, root)) - HOW:
            key = NAMED.get(key, key).format(encoder=encoder, study=stage.cmd.split()[-1])
            assert any(f"{key}.".startswith(f"{name}.") for name in declared) or any(
                f"{name}.".startswith(f"{key}.") for name in declared
            ), f"{stage.addressing} reads {key} but declares only {sorted(declared)}"


def test_every_parameter_belongs_to_a_stage(stages, root: Path) -> None:
    params = load_params(root / "params.yaml")
    declared = {key for stage in stages for key in declared_params(stage)}
    assert not declared & HOW
    for key, block in params.model_dump(exclude=HOW).items():
        if key == "encoders":
            assert f"encoders.{params.encoder}" in declared
            continue
        leaves = [f"{key}.{leaf}" for leaf in block] if isinstance(block, dict) else [key]
        for leaf in leaves:
            assert any(f"{leaf}.".startswith(f"{name}.") for name in declared), f"unused: {leaf}"


def test_dvc_yaml_and_paths_spell_the_same_places(stages, root: Path) -> None:
    params = load_params(root / "params.yaml")
    encoder, texts = params.encoder, params.attention.tasks
    qa, pairs = f"{params.pairwise.corpus}-qa", f"{params.pairwise.corpus}-pairs"
    labelled = [f"{params.geometry.corpus}-{name}" for name in LABEL_TASKS]
    followed, crossed = (f"{params.geometry.corpus}-{name}" for name in (FOLLOWED, CROSSED))
    linked = params.attention.pair_heads.task
    others = (followed, f"{params.geometry.corpus}-pos")
    tuned = [(qa, state) for state in ("frozen", "finetuned")]
    tuned += [(task, "finetuned") for task in labelled]
    tuned += [(t, state) for t in texts for state in ("frozen", "finetuned", "random-finetuned")]
    probed = [(qa, "evaluate"), (pairs, "pairwise"), (linked, "pair-heads")]
    probed += [(t, study) for t in labelled for study in ("classify", "geometry", "similarity")]
    probed += [(followed, "dynamics"), (crossed, "cross-task")]
    probed += [(t, study) for t in texts for study in ("evaluate", "attention", "ablate")]
    expected = {
        paths.SUMMARY,
        paths.PLOTS,
        paths.PAGE,
        paths.FIGURES,
        paths.PATTERNS,
        *(paths.examples(task) for task in (qa, pairs, *labelled, *texts)),
        *(paths.checkpoint(encoder, *one) for one in tuned),
        *(paths.training(encoder, *one) for one in tuned),
        *(paths.results(encoder, *one) for one in probed),
        *(paths.representation(encoder, task, s) for task in (pairs, *labelled) for s in STATES),
        *(paths.cross_representation(encoder, crossed, other) for other in others),
        paths.snapshots(encoder, followed),
    }
    outs = {name for stage in stages for name in relative(stage.outs, root)}
    assert outs == {path.as_posix() for path in expected}


def test_every_input_of_a_stage_is_exactly_an_output_or_a_tracked_file(stages, root: Path) -> None:
    outs = {name for stage in stages for name in relative(stage.outs, root)} | {"data"}
    for stage in stages:
        for dep in file_deps(stage, root):
            assert dep in outs or dep.startswith(("src/", "stages/", ".dvc/plots")), (
                f"{stage.addressing}: {dep}"
            )


def test_parts_that_run_side_by_side_wait_for_no_other_part(stages, root: Path) -> None:
    # `parts` needs the environment, which the test runs in: make takes `setup` for done
    command = ["make", "--silent", "--old-file=setup", "parts"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert len(listed.splitlines()) == 8
    by_name = {stage.addressing: stage for stage in stages}
    made_by = {out: stage.addressing for stage in stages for out in relative(stage.outs, root)}
    before, seen = {"patterns", "prepare-qa", "prepare-pairs", None}, set()
    for part in listed.splitlines():
        done = set(before)
        for group in part.split():
            members = [n for n in by_name if n == group or n.split("@")[0] == group]
            assert members, f"no stage is called {group}"
            for name in members:
                needed = {made_by.get(dep) for dep in file_deps(by_name[name], root)}
                assert needed <= done, f"{name} waits for {needed - done}"
            done |= set(members)
        assert not (done - before) & seen
        seen |= done - before
    assert len(seen) > 0.9 * (len(stages) - len(before))


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
