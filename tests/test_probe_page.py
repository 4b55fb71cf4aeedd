"""`tuneprobe probe`: a table of labelled texts and two folders of encoders become a page."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from dvc_render.vega_templates import get_template
from test_tuned_elsewhere import write_tuned
from tiny_reader import write_tiny_bert
from typer.testing import CliRunner

from tuneprobe import probe_page
from tuneprobe.cli import app
from tuneprobe.encoders.encoder import load_encoder, load_tuned_elsewhere
from tuneprobe.errors import TuneprobeError
from tuneprobe.page.templates import chart_templates
from tuneprobe.params import load_params
from tuneprobe.probe_page import probe_table, read_table, settings
from tuneprobe.studies.geometry.similarity.similarity import linear_cka
from tuneprobe.tasks import Columns

THINGS, DOERS = ("kite", "town", "river", "tulips"), ("ann", "bob", "lee")


def write_table(path: Path, first: int = 0, last: int = 48) -> Path:
    words = product(THINGS, ("1901", "1950"), DOERS, ("", "old ", "red "))
    rows = [
        (f"the {much}{thing} of {year} by {doer}", "thing")
        if number % 2
        else (f"{doer} built the {much}{thing} in {year}", "deed")
        for number, (thing, year, doer, much) in enumerate(words)
    ][first:last]
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows))
    return path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings()
    regimen = given.classify.regimen.model_copy(update={"max_epochs": 2, "race": ()})
    fast = given.classify.model_copy(
        update={"hidden": ((4, 4),), "decays": (1e-4,), "initialisations": 1, "orders": 1}
        | {"regimen": regimen, "codelength": "none"}
    )
    few = given.intervals.model_copy(update={"bootstrap": 50})
    changed = given._replace(classify=fast, intervals=few)
    monkeypatch.setattr(probe_page, "settings", lambda: changed)


@pytest.mark.usefixtures("small", "one_thread", "undrawn")
def test_a_page_of_three_states_is_written_where_there_is_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_bert(tmp_path / "base")
    write_tuned(tmp_path / "mine")
    (tmp_path / "my-texts").mkdir()
    write_table(tmp_path / "my-texts" / "train.tsv")
    write_table(tmp_path / "my-texts" / "test.tsv", 48, 72)
    monkeypatch.chdir(tmp_path)
    made = []

    def keep(*given, **how):
        made.append(probe_table(*given, **how))
        return made[0]

    monkeypatch.setattr(probe_page, "probe_table", keep)
    words = "probe --encoder base --tuned ./mine --data my-texts --out page.html".split()
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "(random, pretrained, finetuned)" in done.output
    page = Path("page.html").read_text()
    assert "mine was tuned elsewhere from base" in page
    assert page.count("<script") == page.count("<script>") == 1  # its own, which loads nothing
    results = made[0].results
    assert set(results.task) == {"my-texts"}
    shown = results[(results.metric == "accuracy") & (results.classifier == "mlp")]
    assert sorted(zip(shown.state, shown.layer, strict=True)) == sorted(
        (state, layer) for state in ("random", "pretrained", "finetuned") for layer in range(3)
    )
    assert (shown.low <= shown.value).all()
    same = results[
        (results.metric == "cka")
        & (results.state == "finetuned")
        & (results.against == "pretrained")
        & (results.layer == 2)
    ]
    assert same.value.item() == pytest.approx(directly(tmp_path), abs=1e-5)


def directly(folder: Path) -> float:
    """CKA of the last layer of the test texts, each text alone through both models."""
    examples = read_table(folder / "my-texts", Columns(text="text", label="label"))
    table = examples.examples[examples.examples.split == "test"]
    base = load_encoder("x", path=str(folder / "base"))
    vectors = []
    for encoder in (base, load_tuned_elsewhere(base, path=str(folder / "mine"))):
        texts = examples.texts.iloc[examples.spans.text[table.span1]]
        ids = [encoder.tokenizer(" ".join(words), return_tensors="pt") for words in texts.words1]
        vectors.append(
            np.stack([encoder.model(**one).last_hidden_state[0, 0].detach().numpy() for one in ids])
        )
    return linear_cka(*vectors)


def test_dvc_draws_with_the_templates_of_the_page_which_are_stored_once(root: Path) -> None:
    packaged = root / "src" / "tuneprobe" / "page" / "plots"
    assert (root / ".dvc" / "plots").resolve() == packaged.resolve()
    stems = {path.stem for path in (root / ".dvc" / "plots").glob("*.json")}
    assert stems == set(chart_templates())
    found = get_template("heat_map", template_dir=str(root / ".dvc" / "plots"))
    assert found.content == chart_templates()["heat_map"]


def test_the_packaged_settings_are_those_of_the_repository(root: Path) -> None:
    params, given = load_params(root / "params.yaml"), settings()
    assert given.intervals == params.intervals
    assert given.texts == params.prepare.texts
    assert given.represent == params.represent
    assert given.directprobe == params.geometry.directprobe
    assert given.similarity == params.geometry.similarity
    theirs = params.geometry.classify.model_copy(update={"controls": "none"})
    assert given.classify == theirs


def test_what_is_no_table_of_classes_is_one_sentence(tmp_path: Path) -> None:
    columns = Columns(text="text", label="label")
    with pytest.raises(TuneprobeError, match=r"mine\.tsv is missing: give a file"):
        read_table(tmp_path / "mine.tsv", columns)
    (tmp_path / "mine.xls").touch()
    with pytest.raises(TuneprobeError, match=r"of another kind: .* \.tsv, \.csv, \.jsonl"):
        read_table(tmp_path / "mine.xls", columns)
    write_table(tmp_path / "mine.tsv")
    with pytest.raises(TuneprobeError, match=r"the column 'stars' is missing; there are text, la"):
        read_table(tmp_path / "mine.tsv", Columns(text="text", label="stars"))
    stars = "".join(f"the kite {n}\t{n}\n" for n in range(40))
    (tmp_path / "stars.tsv").write_text(f"text\tlabel\n{stars}")
    with pytest.raises(TuneprobeError, match=r"'label' of .*stars\.tsv has 40 .* labels in 40 tex"):
        read_table(tmp_path / "stars.tsv", columns)
    lines = [json.dumps({"text": f"the kite {n}", "label": "ab"[n % 2]}) for n in range(40)]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    assert len(read_table(tmp_path / "mine.jsonl", columns).examples) == 40


def test_an_encoder_that_is_not_here_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["probe", "--encoder", "berd", "--data", "x.tsv"])
    assert "there is no folder 'berd', and no params.yaml here" in str(done.exception)
