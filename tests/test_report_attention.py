"""The attention study on the page: figures in the paper's shapes, and what is missing named."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from made_up_attention import N_HEADS, N_LAYERS, SHARES, TASKS, made_up_attention
from made_up_results import made_up_params

from tuneprobe.page.charts import FINETUNED, PRETRAINED
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.marks import draw_attention_map, draw_bars
from tuneprobe.page.page import render_page
from tuneprobe.studies.attention.captions import place
from tuneprobe.studies.attention.example_figure import changed_cells, map_cells
from tuneprobe.studies.attention.maps.example_maps import INDEX
from tuneprobe.studies.attention.page import ATTENTION
from tuneprobe.wording import number

SVG = "{http://www.w3.org/2000/svg}"
PIECES = "[CLS] the gull ##s slept [SEP]"


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return made_up_attention()


@pytest.fixture(scope="module")
def stored_maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two texts of random maps; the shorter one is the second."""
    folder = tmp_path_factory.mktemp("maps")
    generator = np.random.default_rng(0)
    rows = []
    for text, pieces in enumerate((f"{PIECES} again [SEP]", PIECES)):
        n = len(pieces.split())
        for state in ("pretrained", "finetuned"):
            file = f"text_{text:04d}_{state}.npy"
            maps = generator.dirichlet(np.ones(n), size=(N_LAYERS, N_HEADS, n))
            np.save(folder / file, maps.astype(np.float16))
            rows.append((file, text, state, pieces))
    index = pd.DataFrame(rows, columns=["file", "text", "state", "pieces"])
    index.to_csv(folder / INDEX, index=False)
    return folder


@pytest.fixture(scope="module")
def inputs(root: Path, results, stored_maps) -> PageInputs:
    return PageInputs(
        results=results,
        funnel=pd.DataFrame(columns=["probe", "step", "kept", "dropped", "reason"]),
        params=made_up_params(),
        artifacts={},
        encoder="minilm-l6",
        corpus="world",
        layer_mark=0.4167,
        margin=2.0,
        confidence=0.95,
        studies=["attention"],
        tables={
            f"{task}/attention/{name}": cells(stored_maps, results, task)
            for task in TASKS
            for name, cells in (("maps", map_cells), ("changed", changed_cells))
        },
    )


def blocks_of(inputs: PageInputs) -> dict:
    return {block.name: block for block in ATTENTION.chapter(inputs).blocks}


@pytest.mark.usefixtures("undrawn")
def test_every_figure_has_a_panel_for_each_task_and_nothing_is_missing(inputs):
    panels = {
        name: len(block.panels)
        for name, block in blocks_of(inputs).items()
        if block.kind == "figure"
    }
    n = len(TASKS)
    assert panels == {
        "changed-maps": 6,
        "attention-maps": 5 * n,
        "patterns": n,
        "map-similarity": n,
        "token-types": 3 * n,
        "type-changes": n,
        "cls-row": n,
        "entropy": n,
        "word-pairs": 2,
        "head-ablation": n,
        "importance": n,
    }
    assert not any(block.missing for block in blocks_of(inputs).values())


@pytest.mark.usefixtures("undrawn")
def test_captions_are_written_from_the_numbers(inputs):
    caption = {name: block.caption for name, block in blocks_of(inputs).items()}
    assert "On world RTE layer 6 changes most (mean cosine 0.53)" in caption["map-similarity"]
    assert "[CLS] most in layer 3 (42 %) and [SEP] most in layer 6 (53 %)" in caption["token-types"]
    of = inputs.results[inputs.results.metric == "accuracy_change"]
    of = of[(of["head"] >= 0) & (of.ablation == "uniform")]
    worse = sum(row["high"] < 0 for row in of.to_dict("records"))
    fall = f"rises without 1 of 72 heads and clearly falls without {worse // len(TASKS)} (best"
    assert f"On world RTE the score clearly {fall}" in caption["head-ablation"]
    cases = f"{worse} of {len(of)} cases (72 heads times {len(TASKS)} tasks)"
    assert f"the score falls clearly in {cases}." in ATTENTION.finding(inputs)
    assert 0 < worse < len(of) == 72 * len(TASKS)
    assert "best layer 2 head 3: +2.5 [+2.2, +2.8]" in caption["head-ablation"]
    assert "best layer 1: +3.0 [+2.7, +3.3]" in caption["head-ablation"]
    assert "first to second: layer 5 head 7 (0.20; 2)" in caption["word-pairs"]
    assert "Even attention gives 0.04." in caption["word-pairs"]
    assert "Unrelated heads of a layer share 0.20." in caption["map-similarity"]
    assert "Without the 14 heads of least importance at once: −0.1" in caption["importance"]
    assert "45 % before tuning and 45 % after" in caption["patterns"]
    assert "how often the network is right is unknown" in caption["patterns"]
    assert "“[CLS] the gulls slept [SEP]”" in caption["attention-maps"]


@pytest.mark.usefixtures("undrawn")
def test_agreement_with_labelled_maps_replaces_the_warning(inputs):
    kappa = inputs.results[inputs.results.metric == "pattern_agreement"].iloc[:1]
    more = {"score": "accuracy", "classifier": "network"}
    labelled = kappa.assign(**more, value=0.8, low=0.7, high=0.9, n=60)
    known = replace(inputs, results=pd.concat([inputs.results, labelled]))
    caption = blocks_of(known)["patterns"].caption
    assert "Of 60 labelled maps" in caption
    assert "80 [70, 90] % right" in caption
    assert "unknown" not in caption


@pytest.mark.usefixtures("undrawn")
def test_the_three_ways_stand_beside_the_papers_and_the_majority(inputs):
    groups = blocks_of(inputs)["three-ways"].groups
    published, ours = (dict(group.rows) for group in groups)
    assert list(map(str, published["STS-B"][-4:])) == ["33.1", "2.9", "82.7", "–"]
    assert list(map(str, ours["world RTE, accuracy"])) == [
        "47.0 [43.0, 51.0]",
        "52.0 [48.0, 56.0]",
        "51.0",
        "61.0 [57.0, 65.0]",
        "66.0 [62.0, 70.0]",
        "88.0 [84.0, 92.0]",
        "+36.0",  # over the best of majority, random and pre-trained
    ]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("missing", "block", "says"),
    [
        ({"study": ["ablation"]}, "head-ablation", "every number"),
        ({"study": ["attention"]}, "map-similarity", "every number"),
        ({"study": ["attention", "ablation", "evaluate"]}, "patterns", "every number"),
        ({"study": ["evaluate"]}, "three-ways", "no whole-text task was scored"),
        ({"metric": ["pair_weight"]}, "word-pairs", "every number"),
        ({"metric": ["importance"]}, "importance", "every number"),
        ({"state": ["pretrained"]}, "type-changes", "every number"),
    ],
)
def test_what_is_missing_is_named_and_the_page_still_builds(inputs, missing, block, says):
    rows = inputs.results
    for column, names in missing.items():
        rows = rows[~rows[column].isin(names)]
    partial = replace(inputs, results=rows, tables={})
    chapter = ATTENTION.chapter(partial)
    blocks = {block.name: block for block in chapter.blocks}
    assert says in "; ".join(blocks[block].missing)
    assert blocks["attention-maps"].missing
    assert 'id="head-ablation"' in render_page(partial, [chapter])


@pytest.mark.usefixtures("undrawn")
def test_numbers_without_intervals_are_written_without(inputs):
    bare = replace(inputs, results=inputs.results.assign(low=float("nan"), high=float("nan")))
    caption = blocks_of(bare)["head-ablation"].caption
    assert "best layer 2 head 3: +2.5;" in caption
    assert "clearly rises without none of 72 heads and clearly falls without none" in caption


def test_the_same_results_in_another_order_give_the_same_study(inputs, monkeypatch):
    def echo(spec: object, **_: object) -> str:
        digest = sha256(repr(spec).encode()).hexdigest()
        return f'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><g>{digest}</g></svg>'

    monkeypatch.setattr("vl_convert.vegalite_to_svg", echo)
    shuffled = replace(inputs, results=inputs.results.sample(frac=1, random_state=1))
    assert repr(ATTENTION.chapter(shuffled)) == repr(ATTENTION.chapter(inputs))


def test_the_maps_shown_are_those_of_the_shortest_text_under_each_patterns_best_head(
    results, stored_maps
):
    heads = results.copy()
    best = (
        (heads.metric == "pattern_share")
        & (heads.pattern == "block")
        & (heads.classifier == "network")
    )
    best &= (heads.state == "pretrained") & (heads.layer == 4) & (heads["head"] == 7)
    heads.loc[best, "value"] = 0.93
    cells = map_cells(stored_maps, heads, TASKS[0])
    assert list(dict.fromkeys(cells.pattern)) == list(SHARES)
    assert set(cells.text) == {PIECES}
    block = cells[cells.pattern == "block"]
    assert (set(block.layer), set(block["head"]), set(block.share)) == ({4}, {7}, {0.93})
    stored = np.load(stored_maps / "text_0001_pretrained.npy")[3, 7]
    assert block.pivot(index="row", columns="column", values="weight").to_numpy() == pytest.approx(
        stored.astype(float)
    )


def test_the_heads_that_changed_most_are_drawn_before_and_after_on_the_same_text(
    inputs, results, stored_maps
):
    cells = changed_cells(stored_maps, results, TASKS[0])
    similar = results[(results.metric == "map_similarity") & (results.task == TASKS[0])]
    similar = similar[(similar["head"] >= 0) & (similar.state == "finetuned")]
    least = similar.sort_values(["value", "layer", "head"]).head(2)
    assert set(zip(cells.layer, cells["head"], strict=True)) == set(
        zip(least.layer, least["head"], strict=True)
    )
    assert set(cells.text) == {PIECES}
    for state, of_state in cells.groupby("state"):
        stored = np.load(stored_maps / f"text_0001_{state}.npy")
        for row in of_state.itertuples():
            assert row.weight == float(stored[row.layer - 1, row.head, row.row, row.column])
    figure = blocks_of(inputs)["changed-maps"]
    assert [panel.measure for panel in figure.panels[:3]] == ["before", "after", "difference"]
    shown = {text.text for text in ElementTree.fromstring(figure.panels[0].svg).iter(f"{SVG}text")}
    assert set(PIECES.split()) <= shown


def test_no_stored_text_or_no_shares_gives_no_maps(results, stored_maps):
    assert len(map_cells(stored_maps, results, "mrpc")) == 0
    assert len(map_cells(stored_maps, results, TASKS[0], state="random")) == 0


def test_a_map_is_drawn_in_the_colour_of_the_text_darkest_where_most_is_attended(inputs):
    weights = np.array([[0.8, 0.2, 0.0], [0.0, 1.0, 0.0], [0.5, 0.01, 0.49]])
    row, column = np.indices(weights.shape).reshape(2, -1)
    cells = pd.DataFrame({"row": row, "column": column, "weight": weights.ravel()})
    svg = draw_attention_map(inputs.templates["heat_map"], cells, "a map of three word pieces")
    marks = [
        path
        for path in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path")
        if path.get("fill") == "currentColor"
    ]
    opacities = sorted(float(path.get("fill-opacity", 1)) for path in marks)
    assert opacities == pytest.approx([0.2, 0.49, 0.5, 0.8, 1.0], abs=0.01)


def test_bars_alone_in_their_row_stand_in_its_middle_and_keep_their_colour(inputs):
    bars = pd.DataFrame(
        [("a", FINETUNED.name, 2.0, 1.0, 3.0), ("b", PRETRAINED.name, -1.0, -2.0, 0.0)],
        columns=["name", "rev", "value", "low", "high"],
    )
    svg = draw_bars(
        inputs.templates["interval_bars"],
        bars,
        [FINETUNED, PRETRAINED],
        "two bars",
        domain=(-5, 5),
    )
    for one in (FINETUNED, PRETRAINED):
        assert f"var({one.variable}, {one.colour})" in svg


def test_seven_tasks_and_twelve_layers_are_drawn_too(inputs, undrawn):
    names = ("mrpc", "stsb", "sst2", "qqp", "rte", "qnli", "mnli")
    one = inputs.results[inputs.results.task == TASKS[0]]
    upper = one[one.layer > 0].assign(layer=lambda rows: rows.layer + N_LAYERS)
    deep = pd.concat([one, upper])
    many = replace(inputs, results=pd.concat([deep.assign(task=name) for name in names]), tables={})
    similarity = blocks_of(many)["map-similarity"]
    assert [panel.ability for panel in similarity.panels][:3] == ["MNLI", "MRPC", "QNLI"]
    assert len(similarity.table.rows) == 7 * 12
    assert len(similarity.table.head) == 3 + N_HEADS
    assert number(float("nan")) not in {str(cell) for row in similarity.table.rows for cell in row}


def test_a_layer_is_named_without_a_head():
    assert place({"layer": 1, "head": -1}) == "layer 1"
