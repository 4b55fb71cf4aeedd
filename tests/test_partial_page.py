"""``tuneprobe page``: a page of whatever lies in results/."""

import json
import shutil
from pathlib import Path

import pytest
from made_up_attention import made_up_attention
from typer.testing import CliRunner

from tuneprobe import paths
from tuneprobe.artifacts import ArtifactError
from tuneprobe.cli import app
from tuneprobe.inventory import SENTENCE_TABLES, Inventory
from tuneprobe.params import Params, load_params

ENCODER = "minilm-l6"
TASKS = ("mrpc", "rte", "world-sst2")


@pytest.fixture
def params(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The configuration of the project, in a workspace that holds nothing else of a run."""
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(root / name, tmp_path)
    return load_params()


@pytest.fixture
def three_tasks(params: Params) -> None:
    """Results of three sentence tasks, one more than a run of the pipeline has."""
    made_up = made_up_attention()
    for task in TASKS:
        rows = made_up[made_up.task == "world-sst2"].assign(task=task)
        for stage, table in SENTENCE_TABLES.items():
            folder = paths.results(ENCODER, task, stage, 13)
            folder.mkdir(parents=True)
            study = {"ablate": "ablation"}.get(stage, stage)
            rows[rows.study == study].to_csv(folder / f"{table}.csv", index=False)


@pytest.mark.usefixtures("three_tasks")
def test_one_study_alone_makes_a_page_of_all_its_tasks(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["page", "--out", "glue.html"], catch_exceptions=False)
    assert run.stdout == "glue.html: attention (9 tables)\n"
    page = (tmp_path / "glue.html").read_text()
    for task in ("MRPC", "RTE", "SST-2"):
        assert f"{task}, accuracy" in page
    assert "claims of Kovaleva et al. 2019" in page
    assert "claims of Cai et al. 2020" not in page
    assert "Studies without results are left out: pairwise, geometry, change." in page


@pytest.mark.usefixtures("params")
def test_real_text_is_not_called_synthetic_for_examples_that_were_not_read(tmp_path: Path) -> None:
    rows = made_up_attention()
    folder = paths.results(ENCODER, "mrpc", "evaluate", 13)
    folder.mkdir(parents=True)
    scores = rows[(rows.task == "world-sst2") & (rows.study == "evaluate")].assign(task="mrpc")
    scores.to_csv(folder / "scores.csv", index=False)
    for task, synthetic in (("world-dep", True), ("mrpc", False)):
        meta = {"corpus": task.partition("-")[0], "synthetic": synthetic}
        paths.examples(task).mkdir(parents=True)
        (paths.examples(task) / "meta.json").write_text(json.dumps(meta))
    CliRunner().invoke(app, ["page"], catch_exceptions=False)
    page = (tmp_path / "page.html").read_text()
    assert " · mrpc · states" in page
    assert "Synthetic corpus" not in page
    assert "Microsoft Research Paraphrase Corpus" in page


@pytest.mark.usefixtures("three_tasks")
def test_a_run_of_the_pipeline_misses_what_a_partial_page_leaves_out(params: Params) -> None:
    assert sorted(Inventory.found(params).texts) == sorted(TASKS)
    assert set(Inventory.found(params).results().task) == set(TASKS)
    with pytest.raises(
        ArtifactError, match=r"world-pairs/pairwise/seed-13/layers.csv and \d+ more, missing here"
    ):
        Inventory.of(params).results()


@pytest.mark.usefixtures("params")
def test_without_any_result_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no results of 'minilm-l6' lie in results"):
        CliRunner().invoke(app, ["page"], catch_exceptions=False)
    assert not (tmp_path / "page.html").exists()
