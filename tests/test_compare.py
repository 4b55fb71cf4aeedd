"""Runs side by side: read from revisions, drawn over each other, what is missing named."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import yaml
from dvc.repo import Repo
from made_up_attention import made_up_attention
from made_up_geometry import made_up_spaces
from made_up_results import made_up_results
from repository import git
from typer.testing import CliRunner

from tuneprobe.artifacts import write_json
from tuneprobe.cli import app
from tuneprobe.collect.estimates import Estimate
from tuneprobe.collect.metrics import headline, plot_tables, write_tables
from tuneprobe.collect.tables import quick
from tuneprobe.compare import (
    WORKSPACE,
    CompareError,
    Difference,
    Run,
    differences,
    differing,
    numbers_of,
    read_run,
)
from tuneprobe.example_scores import ExampleScores, probe_scores
from tuneprobe.page.compare import looks_of, read_plots, render_comparison


def write_run(repository: Path, gain: float, epochs: int) -> None:
    """What a run leaves behind for Git."""
    results = quick(pd.concat([made_up_results(gain), made_up_spaces(), made_up_attention()]))
    params = {"focus": "finetuned", "finetune": {"epochs": epochs, "batch": 16}}
    (repository / "params.yaml").write_text(yaml.safe_dump(params))
    write_json(repository / "metrics/summary.json", headline(results, "finetuned"))
    write_tables(plot_tables(results, "finetuned"), repository / "metrics/plots")


@pytest.fixture(scope="module")
def repository(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Revisions ``base``, ``longer`` (a higher gain), ``partial`` (no gaps, no headline)."""
    top = tmp_path_factory.mktemp("runs")
    git(top, "init", "-q")
    Repo.init(str(top)).close()
    plots = yaml.safe_load((root / "dvc.yaml").read_text())["plots"]
    (top / "dvc.yaml").write_text(yaml.safe_dump({"plots": plots}))

    def keep(tag: str) -> None:
        git(top, "add", "-A")
        git(top, "commit", "-q", "-m", tag)
        git(top, "tag", tag)

    write_run(top, gain=0.0, epochs=2)
    keep("base")
    write_run(top, gain=3.0, epochs=4)
    keep("longer")
    (top / "metrics/summary.json").unlink()
    for name in ("gaps", "headline"):
        (top / f"metrics/plots/{name}.csv").unlink()
    keep("partial")
    return top


@pytest.fixture(scope="module")
def runs(repository: Path) -> list[Run]:
    return [read_run(repository, name) for name in ("base", "longer", "partial")]


@pytest.fixture
def page_of(repository: Path) -> Callable[[list[Run]], str]:
    return lambda runs: render_comparison(runs, read_plots(repository))


@pytest.fixture(scope="module")
def page(repository: Path, runs: list[Run]) -> str:
    """The three revisions side by side."""
    return render_comparison(runs, read_plots(repository))


def text_of(page: str) -> str:
    body = page[page.index("<body>") :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).replace("\N{NO-BREAK SPACE}", " ")


def test_a_revision_is_read_as_it_was_committed(runs):
    base, longer, _ = runs
    assert (base.params["finetune.epochs"], longer.params["finetune.epochs"]) == ("2", "4")
    assert longer.numbers["coreference_last"] - base.numbers["coreference_last"] == 9.0
    assert set(base.tables) >= {"layers", "gaps", "accuracy", "map_similarity"}
    assert base.missing == []
    assert base.headline["coreference_last"] == (67.0, 65.0, 69.0)


def test_the_workspace_is_read_as_it_lies_there(repository, runs):
    assert read_run(repository, WORKSPACE).params == runs[2].params


def test_what_a_revision_lacks_is_named(runs, page):
    partial = runs[2]
    assert partial.missing == ["metrics/summary.json", "metrics/plots/headline.csv"]
    assert "gaps" not in partial.tables
    text = text_of(page)
    assert "partial state finetuned lacks metrics/summary.json" in text
    assert "Missing: gaps.csv of partial" in text


def test_only_parameters_that_differ_are_listed(runs, page, page_of):
    assert differing(runs) == {"finetune.epochs": ["2", "4", "4"]}
    text = text_of(page)
    assert "finetune.epochs 2 4 4" in text
    assert "finetune.batch" not in text
    assert "None: the runs have the same params.yaml" in text_of(page_of([Run("a"), Run("b")]))


def test_numbers_stand_beside_their_differences_to_the_first_run(runs, page):
    assert numbers_of(runs)["coreference_last"][:2] == [67.0, 76.0]
    # base 67 ± 2, longer 76 ± 2: 9 ± sqrt(8)
    shown = "coreference last 67.00 [65.00, 69.00] 76.00 [74.00, 78.00] – +9.00 [+6.17, +11.83] –"
    assert shown in text_of(page)
    assert "linear layers 23.00 23.00 – same –" in text_of(page)


def run_of(name: str, scores: list[float], of: str = "same") -> Run:
    """A run whose one number, 20 ± 10, is the mean of the scores of its examples."""
    table = pd.DataFrame([("f1", 20.0, 10.0, 30.0)], columns=["name", "value", "low", "high"])
    kept = {"f1": ExampleScores(of, pd.Series(scores))}
    return Run(name, {}, {"f1": sum(scores) / len(scores)}, {"headline": table}, kept)


def test_a_difference_over_the_same_examples_is_paired_and_said_to_be(page_of):
    first, other = run_of("a", [0.0, 20.0, 40.0] * 10), run_of("b", [5.0, 25.0, 45.0] * 10)
    assert differences(first, other)["f1"] == Difference(Estimate(5.0, 5.0, 5.0), paired=True)
    text = text_of(page_of([first, other]))
    assert "+5.00 [+5.00, +5.00] †" in text
    assert "† The difference is paired" in text


def test_runs_on_other_examples_are_taken_as_independent(page_of):
    first, other = run_of("a", [0.0, 20.0, 40.0]), run_of("b", [10.0, 20.0, 30.0], of="other")
    [(found, paired, _)] = differences(first, other).values()
    assert not paired
    assert found == pytest.approx((0, -(200**0.5), 200**0.5))
    assert not differences(first, run_of("c", [10.0, 30.0]))["f1"].paired
    assert "] †" not in text_of(page_of([first, other]))


def test_scores_of_probes_are_those_of_the_focus_at_the_last_layer():
    rows = [  # example, layer, condition, state, count, n_neg, para_len
        (7, 0, "cosine/words", "finetuned", 0, 4, 5),
        (7, 1, "cosine/words", "finetuned", 3, 4, 5),
        (7, 1, "cosine/words", "random", 1, 4, 5),
        (7, 1, "euclidean/words", "finetuned", 1, 4, 5),
        (3, 1, "cosine/words", "finetuned", 1, 4, 5),
        (4, 1, "cosine/words", "finetuned", 0, 0, 1),
        (5, 1, "linear", "finetuned", 2, 4, 5),
    ]
    names = ["example", "layer", "condition", "state", "count", "n_neg", "para_len"]
    labels = pd.Series({3: "synonyms", 4: "synonyms", 5: "boundary", 7: "synonyms"})
    found = dict(probe_scores(pd.DataFrame(rows, columns=names), labels, "spans", "finetuned"))
    assert found.keys() == {"synonyms_last", "boundary_last"}
    assert found["synonyms_last"].scores.to_dict() == {3: 25.0, 7: 75.0}
    assert found["synonyms_last"].make(50.0)
    assert not found["synonyms_last"].make(50.1)


def test_what_the_cache_lacks_comes_from_a_remote_and_what_no_remote_has_is_named(tmp_path):
    top, task = tmp_path / "repository", "mine-rte"
    top.mkdir()
    git(top, "init", "-q")
    Repo.init(str(top)).close()
    (top / ".dvc/config.local").write_text(f"['remote \"store\"']\n    url = {tmp_path}/store\n")
    params = {
        "run": {"encoders": ["e"], "seeds": [13]},
        "focus": "finetuned",
        "attention": {"tasks": [task]},
    }
    (top / "params.yaml").write_text(yaml.safe_dump(params))
    write_json(top / "metrics/summary.json", {"sentence_task_score": 50.0})
    write_json(top / "examples" / task / "meta.json", {"spans_sha256": "5e"})
    answers = [(0, "finetuned", "yes", "yes"), (1, "finetuned", "yes", "no")]
    kept = top / "results/e" / task / "evaluate/seed-13"
    kept.mkdir(parents=True)
    table = pd.DataFrame(answers, columns=["example", "state", "gold", "predicted"])
    table.to_parquet(kept / "predictions.parquet")
    with Repo(str(top)) as repo:
        repo.add(str(kept))
        repo.push(remote="store")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "run")
    shutil.rmtree(kept)
    shutil.rmtree(top / ".dvc/cache")
    lost = f"results/e/{task}/evaluate/seed-13/predictions.parquet"
    assert lost in read_run(top, "HEAD").missing
    with (top / ".dvc/config.local").open("a") as config:
        config.write("[core]\n    remote = store\n")
    found = read_run(top, "HEAD")
    assert lost not in found.missing
    assert found.scores["sentence_task_score"].scores.tolist() == [100.0, 0.0]


@pytest.mark.usefixtures("undrawn")
def test_equal_runs_are_the_same_in_every_number_and_every_table(repository, runs, page_of):
    base = runs[0]
    again = replace(read_run(repository, "base"), name="again")
    assert all(one.same for one in differences(base, again).values())
    text = text_of(page_of([base, again]))
    assert not re.search(r"0\.00 \[−[\d.]+, \+", text)
    assert text.count(" same ") > len(base.numbers) > 15
    assert "linear layers 23.00 23.00 same" in text  # a number without an interval


@pytest.mark.usefixtures("undrawn")
def test_captions_and_tables_say_what_differs_at_the_last_layer(runs, page_of):
    text = text_of(page_of(runs[:2]))
    assert (
        "‘longer’ is above ‘base’ in 6 of 10 panels; they differ most in coreference · cosine: "
        "76.00 against 67.00." in text
    )
    # base 67 ± 2, longer 76 ± 2: 9 ± sqrt(8)
    assert "67.00 [65.00, 69.00] 76.00 [74.00, 78.00] +9.00 [+6.17, +11.83]" in text


def test_every_run_has_a_curve_in_every_panel_that_it_has(runs, page):
    start = page.index('<section id="layers"')
    figure = page[start : page.index("</section>", start)]
    labels = re.findall(r'aria-label="([^"]+layer 0 to 6[^"]+)"', figure)
    assert len(labels) == 10
    assert all(all(f"{run.name} from" in label for run in runs) for label in labels)
    assert figure.count("var(--pretrained") >= 10


def test_a_run_named_as_a_state_looks_as_that_state_and_no_two_look_alike():
    looks = looks_of(["main", "random", "pretrained", "a", "b", "c"])
    assert looks[1].variable == "--random"
    assert looks[2].variable == "--pretrained"
    assert len({look.variable for look in looks}) == 6
    assert len({look.dash for look in looks}) == 6


def test_the_page_is_the_same_every_time_and_loads_nothing(runs, page, page_of):
    assert page == page_of(runs)
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)
    parser.feed(page)
    assert not {"link", "img", "iframe"} & set(tags)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_runs_without_any_table_still_make_a_page(page_of):
    text = text_of(page_of([Run("a"), Run("b")]))
    assert "metrics/summary.json in every run" in text
    assert "In no run: What is due to this pair" in text
    assert "Five abilities" in text


@pytest.mark.parametrize("n", [1, 7])
def test_one_run_and_more_runs_than_looks_are_refused(page_of, n):
    with pytest.raises(CompareError, match=f"{n} different runs: expected 2 to 6"):
        page_of([Run(str(number)) for number in range(n)])


def test_an_unknown_revision_is_one_clear_error(repository, monkeypatch):
    monkeypatch.chdir(repository)
    result = CliRunner().invoke(app, ["compare", "base", "lnger"])
    assert isinstance(result.exception, CompareError)
    assert "unknown revision 'lnger': expected 'workspace', a branch" in str(result.exception)
    assert not (repository / "compare.html").exists()


def test_a_file_that_cannot_be_understood_is_one_clear_error(tmp_path):
    git(tmp_path, "init", "-q")
    Repo.init(str(tmp_path)).close()
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/summary.json").write_text('{"f1": ')
    with pytest.raises(CompareError, match=r"metrics/summary\.json of 'workspace' cannot be read"):
        read_run(tmp_path, WORKSPACE)


def test_a_folder_without_a_repository_is_one_clear_error(tmp_path):
    with pytest.raises(CompareError, match="cannot read"):
        read_run(tmp_path, "base")


@pytest.mark.usefixtures("undrawn")
def test_one_revision_alone_is_compared_with_the_workspace(repository, monkeypatch, tmp_path):
    monkeypatch.chdir(repository)
    out = tmp_path / "page.html"
    result = CliRunner().invoke(app, ["compare", "base", "--out", str(out)])
    assert result.exit_code == 0, result.exception
    assert result.stdout.splitlines()[0] == f"{out}: 2 runs"
    assert "workspace lacks metrics/summary.json" in result.stdout
    assert "base, workspace</title>" in out.read_text()
