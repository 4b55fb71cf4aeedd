"""Headline numbers and plot tables of the attention study."""

import pandas as pd
import pytest
from made_up_attention import (
    N_HEADS,
    N_LAYERS,
    SCORES,
    TASKS,
    change,
    made_up_attention,
    similarity,
)

from tuneprobe.collect.metrics import headline, plot_tables
from tuneprobe.params import load_params
from tuneprobe.studies.attention import measures as attention
from tuneprobe.studies.attention.maps import head_results, token_types
from tuneprobe.studies.attention.measures import (
    ablation_changes,
    pair_weights,
    shown_ablation,
    task_scores,
)
from tuneprobe.studies.attention.page import headline as attention_headline
from tuneprobe.studies.attention.patterns import classes


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return made_up_attention()


def test_headline_numbers_are_those_that_the_rows_were_made_from(results):
    found = attention_headline(results, "finetuned")
    numbers = {name: one.value for name, one in found.items()}
    assert numbers == pytest.approx(
        {
            "pair_task_score": SCORES["finetuned"],
            "sentence_task_score": SCORES["finetuned"],
            "map_similarity_last": similarity(N_LAYERS, -1),
            "heterogeneous_share": 0.45,
            "harmful_heads": 1,
        }
    )
    assert headline(results, "finetuned").items() >= numbers.items()


def test_the_maps_before_tuning_are_as_similar_to_themselves_as_can_be(results):
    assert attention_headline(results, "pretrained")["map_similarity_last"].value == 1
    half = similarity(N_LAYERS, -1) / 2
    random = attention_headline(results, "random")["map_similarity_last"]
    assert random.value == pytest.approx(half)


def test_what_was_not_measured_has_no_number(results):
    assert attention_headline(results.iloc[:0], "finetuned") == {}
    assert "harmful_heads" not in attention_headline(results, "random")


def test_a_score_is_that_of_the_tasks_first_metric_with_its_own_majority(results):
    f1 = results[results.metric.str.endswith("accuracy") & (results.study == "evaluate")]
    f1 = f1.assign(metric=f1.metric.str.replace("accuracy", "f1"), value=1.0)
    scores = task_scores(pd.concat([f1, results]))
    assert set(scores.metric) == {"accuracy"}
    assert set(scores.baseline) == {51.0}


def test_scores_of_word_tasks_are_left_to_the_other_study(results):
    words = results[results.study == "evaluate"].assign(task="world-pos")
    assert set(task_scores(pd.concat([results, words])).task) == set(TASKS)


def test_every_whole_text_task_is_known_as_one_of_pairs_or_of_sentences(root):
    known = {*attention.PAIR_TASKS, *attention.SENTENCE_TASKS}
    tasks = load_params(root / "params.yaml").tasks
    assert known >= {name for name, task in tasks.items() if task.format == "glue"}
    assert not set(attention.PAIR_TASKS) & set(attention.SENTENCE_TASKS)


def test_the_names_are_those_that_the_study_writes():
    assert attention.PATTERNS == classes.PATTERNS
    assert attention.TYPES == token_types.TYPES
    assert attention.UNIFORM == head_results.UNIFORM


def test_tables_have_a_row_for_each_head_of_each_task(results):
    tables = plot_tables(results, "finetuned")
    for name in ("map_similarity", "head_ablation"):
        assert len(tables[name]) == len(TASKS) * N_LAYERS * N_HEADS
        assert (tables[name]["head"] >= 0).all()
    first = tables["head_ablation"].iloc[0]
    assert first.panel == "world RTE"
    assert first.value == pytest.approx(change(1, 0))


def test_curves_of_token_types_follow_the_focus(results):
    after, before = (
        plot_tables(results, state)["token_types"] for state in ("finetuned", "pretrained")
    )
    assert after.panel.unique().tolist() == before.panel.unique().tolist()
    assert after.panel.nunique() == 3 * len(TASKS)
    assert (after.value > before.value).all()


def test_uniform_ablation_is_shown_where_it_ran_and_else_the_next(results):
    assert shown_ablation(results) == "uniform"
    zero = results.assign(ablation=results.ablation.replace("uniform", "zero"))
    assert shown_ablation(zero) == "zero"
    assert len(ablation_changes(zero)) == len(ablation_changes(results)) > 0


def test_of_many_relations_those_with_the_most_texts_are_kept(results):
    pairs = results[results.metric == "pair_weight"]
    many = [pairs.assign(relation=f"r{n}", n=n) for n in range(10, 20)]
    assert set(pair_weights(pd.concat(many)).relation) == {"r16", "r17", "r18", "r19"}
