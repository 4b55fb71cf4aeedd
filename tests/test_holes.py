"""Nothing that a file says is run as a program, and nothing is written beside its place."""

import ast
import io
import json
import os
import pickle
import re
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from forked import finished
from made_up_page import few_tasks
from test_report import Outline

from tuneprobe.bundle import BundleError, recorded_outputs, verify_bundle
from tuneprobe.compare import Run
from tuneprobe.corpora.archives import unpack_tar
from tuneprobe.corpora.lines import CorpusError
from tuneprobe.formats.representations import Representations
from tuneprobe.page.compare import render_comparison
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.page import render_page
from tuneprobe.params import ParamsError, load_params

SHELL = "x; touch came && $(touch came) `touch came` | touch came"
TAGGED = '<script>alert(1)</script><img/src=x/onerror="alert(1)">'  # one word piece
KEY = "AKIA" + "QYLPMN5HHHFPZAM2"  # an example from no account, in two pieces for the hook


def texts(block: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted key of every text of params.yaml."""
    for key, value in block.items():
        if isinstance(value, dict):
            yield from texts(value, f"{prefix}{key}.")
        elif isinstance(value, str):
            yield f"{prefix}{key}"


def may_be_any(key: str) -> bool:
    """Whether a text names a file of the user's: it is read, and no part of a command or output."""
    return key.startswith("encoders.") or (key.startswith("tasks.") and key.endswith(".path"))


def test_commands_and_outputs_hold_nothing_but_names_and_numbers(
    root: Path, tmp_path: Path
) -> None:
    shipped = yaml.safe_load((root / "params.yaml").read_text())
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"].values()
    for stage in stages:
        used = re.findall(r"(?<!\\)\$\{([^}]*)\}", f"{stage['cmd']} {stage.get('outs')}")
        assert all(re.fullmatch(r"item(\.\w+)*", one) for one in used)
    axes = {axis for stage in stages for axis in stage.get("matrix", {}).values() if "$" in axis}
    assert len(axes) > 5
    for axis in axes:
        path = tmp_path / "params.yaml"
        path.write_text(json.dumps(with_text(shipped, axis.strip("${}"), [SHELL])))
        with pytest.raises(ParamsError, match=axis.strip("${}").replace(".", r"\.")):
            load_params(path)


def with_text(params: dict[str, Any], key: str, text: object) -> dict[str, Any]:
    """The parameters with one text replaced; those given stay as they are."""
    first, _, rest = key.partition(".")
    return {**params, first: with_text(params[first], rest, text) if rest else text}


@pytest.mark.parametrize("text", [SHELL, "../../elsewhere", "/etc/passwd", "-rf", "${seed}"])
def test_no_text_of_params_yaml_is_a_command_or_a_way_out(
    root: Path, tmp_path: Path, text: str
) -> None:
    shipped = yaml.safe_load((root / "params.yaml").read_text())
    keys = [key for key in texts(shipped) if not may_be_any(key)]
    assert len(keys) > 20
    for key in keys:
        path = tmp_path / "params.yaml"
        path.write_text(json.dumps(with_text(shipped, key, text)))
        with pytest.raises(ParamsError, match=re.escape(key.removesuffix(".target"))):
            load_params(path)


def test_a_stage_that_is_called_with_shell_text_runs_nothing(root: Path, tmp_path: Path) -> None:
    params = yaml.safe_load((root / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(with_text(params, "focus", SHELL)))
    script = str(root / "stages" / "prepare_texts.py")
    done = finished([script, "--task", "world-rte"], tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: params.yaml: focus is")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("name", ["../came", "/tmp/came", "a/../../came"])
def test_a_member_of_an_archive_that_lies_outside_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as packed:
        packed.addfile(member(name), io.BytesIO())
    with pytest.raises(CorpusError, match="outside the archive"):
        unpack_tar(archive, tmp_path / "in" / "here")
    assert not list(tmp_path.rglob("came"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_of_an_archive_are_not_made(tmp_path: Path, kind: bytes) -> None:
    archive, folder = tmp_path / "a.tar", tmp_path / "here"
    with tarfile.open(archive, "w") as packed:
        packed.addfile(member("odd", kind, target=str(tmp_path)))
        packed.addfile(member("odd/came"), io.BytesIO())
    unpack_tar(archive, folder)
    assert (folder / "odd").is_dir()
    assert not (folder / "odd").is_symlink()
    assert not (tmp_path / "came").exists()


@pytest.mark.parametrize("path", ["../elsewhere", "/etc"])
def test_a_lock_that_lists_paths_outside_makes_no_bundle(tmp_path: Path, path: str) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text(yaml.safe_dump({"stages": {"a": {"outs": [{"path": path, "md5": "0"}]}}}))
    with pytest.raises(BundleError, match="outside the repository"):
        recorded_outputs(lock)


@pytest.mark.parametrize(
    ("sums", "says"),
    [
        (f"{'0' * 64}  ../secret\n", "../secret is missing"),
        (f"{'0' * 64}  /etc/passwd\n", "/etc/passwd is missing"),
        (f"{'0' * 64}  link\n", "link is a link or no file"),
        (f"{'0' * 64}  pipe\n", "pipe is a link or no file"),
        ("no sums\n", "is damaged"),
        ("\x00\n\n", "is damaged"),
    ],
)
def test_a_bundle_reads_nothing_outside_itself(tmp_path: Path, sums: str, says: str) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    (folder / "SHA256SUMS").write_text(sums)
    with pytest.raises(BundleError) as error:
        verify_bundle(folder)
    assert says in str(error.value)


class Trap:
    """Runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("came",)


def test_an_array_of_objects_is_not_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("layer_00.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(Exception, match=r"layer_00|allow_pickle|dtype"):
        Representations(tmp_path, {"last_layer": 0}).layer(0)
    Path("layer_00.npy").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(Exception, match=r"layer_00|allow_pickle|pickle"):
        Representations(tmp_path, {"last_layer": 0}).layer(0)
    assert not Path("came").exists()


def test_no_code_unpickles_evaluates_or_calls_a_shell(root: Path) -> None:
    found = []
    for file in [*(root / "src").rglob("*.py"), *(root / "stages").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {name.name for name in node.names} | {getattr(node, "module", "")}
                found += [(file.name, name) for name in names & {"pickle", "marshal", "shelve"}]
            if isinstance(node, ast.Call):
                found += [(file.name, hole) for hole in holes_of(node)]
    assert not found


def holes_of(call: ast.Call) -> Iterator[str]:
    name, words = ast.unparse(call.func), {word.arg: word.value for word in call.keywords}
    if name in {"eval", "exec", "os.system", "os.popen", "joblib.load"}:
        yield name
    if name == "torch.load" and ast.unparse(words.get("weights_only", call.func)) != "True":
        yield "torch.load without weights_only=True"
    if name == "np.load" and ast.unparse(words.get("allow_pickle", call.func)) != "False":
        yield "np.load without allow_pickle=False"
    if "shell" in words or name.endswith(("extractall", "unpack_archive")):
        yield name


def only_harmless(page: str) -> None:
    outline = Outline(page)
    assert outline.all("script") == [{}]  # its own
    assert not [tag for tag in outline.tags if any(name.startswith("on") for name in tag[1])]
    assert "alert(1)" in page


def test_a_page_shows_tags_in_names_and_words_as_text(page_inputs: PageInputs) -> None:
    inputs = few_tasks(page_inputs)
    results = inputs.results.replace({"label": dict.fromkeys(["NOUN"], TAGGED)})
    tables = {
        name: table.replace({column: tagged(table[column].iloc[0]) for column in words_of(table)})
        for name, table in inputs.tables.items()
        if len(table)
    }
    params = {**inputs.params, "encoder": TAGGED}
    changed = replace(inputs, results=results, tables=tables, params=params, encoder=TAGGED)
    only_harmless(render_page(changed))


def tagged(words: str) -> dict[str, str]:
    """The same number of words, all of them tags."""
    return {words: " ".join([TAGGED] * len(words.split()))}


def words_of(table: Any) -> list[str]:
    return [name for name in table.columns if name in {"text", "label", "word", "words"}]


def test_a_comparison_shows_tags_as_text() -> None:
    runs = [
        Run(name, params={TAGGED: value, "encoder": value}, numbers={TAGGED: 1.0, "f1": 2.0})
        for name, value in ((TAGGED, TAGGED), ("other", "plain"))
    ]
    only_harmless(render_comparison(runs, []))


@pytest.mark.parametrize("words", [["show"], ["check"], ["compare", "x"], ["data", "fetch", "x"]])
def test_no_secret_of_the_environment_is_printed(tmp_path: Path, words: list[str]) -> None:
    secrets = {"AWS_SECRET_ACCESS_KEY": KEY, "AWS_ACCESS_KEY_ID": KEY, "HF_TOKEN": KEY}
    done = finished(["tuneprobe", *words], tmp_path, {**os.environ, **secrets})
    assert done.returncode == 2
    assert KEY not in done.stdout + done.stderr
