"""Baselines beside every tuned task, and the gate that they hold closed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_results import made_up_results
from tiny_reader import question, simple_questions

from tuneprobe.claims.verdicts import FAILS, HOLDS, UNLEARNED, Evidence, judge, not_learned
from tuneprobe.collect.seeds import mean_over_seeds
from tuneprobe.formats.examples import ExamplesBuilder
from tuneprobe.formats.question import Candidate
from tuneprobe.formats.results import OVER_BASELINE, Result, stamp, to_frame
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.page import render_page
from tuneprobe.scores.decode import Reading
from tuneprobe.scores.evaluate import _over_baselines, f1_samples, nq_scores
from tuneprobe.scores.glue_metrics import paired_gap
from tuneprobe.scores.label_baselines import baseline_answers
from tuneprobe.scores.label_scores import gold_answers, score_answers
from tuneprobe.scores.lexical import has_choice, read_lexically
from tuneprobe.studies.geometry.classifiers.study import over_baselines
from tuneprobe.studies.pairwise.claims import PAIRWISE_CLAIMS

TEXT = (
    "Ann Lee was born in Old Town in 1850 . Ann Lee met Bob Ray in 1870 . "
    "The river Ohm is long . It flooded Old Town in May 1901 ."
)
PARAGRAPHS = Candidate(0, 18), Candidate(18, 32)


def asked(words: str) -> dict[str, str]:
    """What each reader without an encoder answers about the text above."""
    one = question(1, words, TEXT, candidates=PARAGRAPHS)
    readings = read_lexically(one)
    return {name: " ".join(one.document[r.start : r.end]) for name, r in readings.items()}


def test_readers_without_an_encoder_answer_by_words_and_type_alone():
    found = asked("when did the river ohm flood old town")
    assert found["first-paragraph"] == "1850"
    assert found["word-overlap"] == found["sentence-overlap"] == "May 1901"
    found = asked("when did ann lee meet bob ray")
    assert found["word-overlap"] == found["sentence-overlap"] == "1870"
    assert asked("who met bob ray")["sentence-overlap"] == "Ann Lee"
    assert asked("how many years")["first-paragraph"].startswith("1850")
    yes = read_lexically(question(1, "did ann lee meet bob", TEXT, candidates=PARAGRAPHS))
    assert {one.type for one in yes.values()} == {"yes"}


def test_without_a_span_of_the_type_the_whole_paragraph_is_the_answer():
    one = question(1, "when was it", "the old kite flew .")
    assert {(r.start, r.end, r.type) for r in read_lexically(one).values()} == {(0, 5, "long")}
    assert not has_choice([one])
    assert has_choice([question(1, "who", TEXT, candidates=PARAGRAPHS)])


def reading(n: int, right: float) -> list[Reading]:
    draw = np.random.default_rng(n)
    return [
        Reading(*(one.annotations[0].shorts[0] if draw.random() < right else (0, 2)), 1.0, "short")
        for one in simple_questions(60)
    ]


def test_a_reader_is_compared_on_the_same_samples_as_each_baseline():
    questions = simple_questions(60)
    read = {"finetuned": reading(0, 0.8), "frozen": reading(1, 0.3), "word-overlap": []}
    read["word-overlap"] = read["finetuned"]
    samples = {
        name: f1_samples(questions, its, min_annotators=1, seed=3, bootstrap=1000)
        for name, its in read.items()
    }
    rows = {
        (row.against, row.score): row
        for row in _over_baselines(samples, ["frozen", "word-overlap"], False, 0.95)
    }
    assert set(rows) == {("frozen", "short_f1"), ("word-overlap", "short_f1")}
    same = rows["word-overlap", "short_f1"]
    assert (same.value, same.low, same.high) == (0, 0, 0)  # paired: not a point apart
    gap = rows["frozen", "short_f1"]
    each = [
        next(
            r.value
            for r in nq_scores(
                questions, its, min_annotators=1, seed=3, confidence=0.95, bootstrap=1000
            )
            if r.metric == "short_f1"
        )
        for its in (read["finetuned"], read["frozen"])
    ]
    assert gap.value == pytest.approx(each[0] - each[1])
    assert 0 < gap.low < gap.value < gap.high


def pairs(n: int = 200):
    """Pairs whose label is in the second text's first word; the first text repeats it or not."""
    builder = ExamplesBuilder()
    for split in ("train", "test"):
        for row in range(n):
            label = str(row % 2)
            second = ["never" if label == "0" else "ever", f"w{row % 7}"]
            text = builder.add_text(f"{split}:{row}", [f"w{row % 7}", "and"], second)
            builder.add_example(builder.add_whole_text(text), -1, label, split)
    return builder.build()


def test_the_second_text_alone_gives_such_labels_away():
    examples = pairs()
    gold = gold_answers(examples, "label")
    found = baseline_answers(examples, "label", seed=13)
    right = {name: (answers == gold.to_numpy()).mean() for name, answers in found.items()}
    assert right["hypothesis-only"] == 1
    assert right["majority"] == right["word-overlap"] == 0.5  # half of each text is shared
    assert 0.4 < right["random-answer"] < 0.6
    scores = baseline_answers(
        replace(examples, examples=examples.examples.assign(label="2")), "score", seed=1
    )
    assert set(scores["word-overlap"]) == {0.5}


def test_a_tuned_labeller_that_answers_like_a_baseline_is_not_above_it():
    examples = pairs()
    gold = gold_answers(examples, "label")
    tuned = gold.to_numpy()
    keys = {"encoder": "e", "task": "rte", "kind": "label", "seed": 1}
    keys |= {"confidence": 0.95, "bootstrap": 1000}
    baselines = baseline_answers(examples, "label", seed=1)
    rows = score_answers(gold, {"finetuned": tuned}, **keys, baselines=baselines)
    gaps = {row.against: row for row in rows if row.metric == OVER_BASELINE}
    assert set(gaps) == {"majority", "random-answer", "word-overlap", "hypothesis-only"}
    assert gaps["hypothesis-only"].value == gaps["hypothesis-only"].low == 0
    assert gaps["majority"].low > 40
    task = Evidence(to_frame(rows), 0.5, 2.0, 0.05).competence["rte"]
    assert not task.learned
    assert task.weakest.baseline == "hypothesis-only"


def test_the_gap_of_another_metric_is_that_of_its_samples():
    draw = np.random.default_rng(1)
    gold = draw.choice(["0", "1"], 300)
    one, other = (np.where(draw.random(300) < p, gold, "1") for p in (0.9, 0.3))
    given = {"confidence": 0.95, "n_bootstrap": 400, "rng": np.random.default_rng(2)}
    found = paired_gap("f1", gold, one, other, **given)

    def f1(answers, rows):
        both = ((gold[rows] == "1") & (answers[rows] == "1")).sum()
        return 200 * both / ((gold[rows] == "1").sum() + (answers[rows] == "1").sum())

    rows = draw.integers(300, size=(400, 300))
    slow = [f1(one, sample) - f1(other, sample) for sample in rows]
    assert found.value == pytest.approx(f1(one, slice(None)) - f1(other, slice(None)))
    assert [found.low, found.high] == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=1.0)


def test_classifiers_are_above_the_majority_the_type_and_random_weights():
    draw = np.random.default_rng(0)
    labels = np.array(["a", "a", "b"])[np.arange(300) % 3]
    table = pd.DataFrame({"label": labels, "type": [f"{n % 9}" for n in range(300)], "text": 0})
    table["text"] = np.arange(300) // 3
    table["split"] = np.where(np.arange(300) < 150, "train", "test")
    parts = []
    for state, share in (("finetuned", 0.95), ("random", 0.7), ("random:14", 0.5)):
        right = draw.random((150, 2)) < share
        example, init = (axis.ravel() for axis in np.indices(right.shape))
        parts.append(
            pd.DataFrame({"example": example, "init": init, "right": right.ravel()}).assign(
                state=state, layer=2, classifier="mlp"
            )
        )
    keys = {"state": "finetuned", "encoder": "e", "task": "t", "seed": 1}
    rows = over_baselines(pd.concat(parts), table, **keys, confidence=0.95, bootstrap=300)
    found = {row.against or row.classifier: row for row in rows}
    tuned = 100 * parts[0].right.mean()
    assert found["majority"].value == pytest.approx(tuned - 200 / 3)
    assert found["random"].value == pytest.approx(
        tuned - 50 * sum(p.right.mean() for p in parts[1:])
    )
    assert found["majority"].low > 0
    types = [row for row in rows if row.metric == "accuracy"]
    assert [(row.state, row.value) for row in types] == [("no-encoder", 100)]  # 9 is 3 · 3
    assert rows[-1].against == "random"
    assert next(row for row in rows if row.against == "word-type").high < 0


def gap_row(
    value: float, low: float, high: float, baseline: str = "word-overlap", score: str = "short_f1"
) -> pd.DataFrame:
    row = Result(OVER_BASELINE, value, low, high, 300, "finetuned", against=baseline, score=score)
    return to_frame(stamp([row], study="evaluate", encoder="minilm-l6", task="world-qa", seed=13))


def verdicts(results: pd.DataFrame, all_seeds: pd.DataFrame | None = None) -> dict[str, str]:
    evidence = Evidence(results, 0.5, 2.0, 0.05, all_seeds)
    return {claim.name: judge(claim, evidence) for claim in PAIRWISE_CLAIMS}


def test_what_rests_on_a_task_that_was_not_learned_is_undecided():
    results = made_up_results()
    by_paragraph = gap_row(0, -3, 3, score="long_f1")  # given away by words, and decides nothing
    learned = verdicts(pd.concat([results, gap_row(40, 30, 50), by_paragraph]))
    assert {one.verdict for one in learned.values()} == {HOLDS}
    found = verdicts(pd.concat([results, gap_row(2, -1, 5), gap_row(40, 30, 50, "frozen")]))
    for name in ("early-layers", "lexical", "reading"):
        assert found[name].verdict == UNLEARNED
        assert "short F1 minus that of word overlap is 2.0 [−1.0, 5.0]" in found[name].reason
        assert {check.outcome for check in found[name].checks} == {"undecided"}
    assert found["answers"].verdict == HOLDS  # it is about these scores
    gap = (results.metric == "gap") & (results.part == "specific")
    numbers = {"value": -9.0, "low": -10.0, "high": -8.0}
    lost = results.assign(**{name: results[name].mask(gap, by) for name, by in numbers.items()})
    unequal = (results.metric == "equivalence_p") & (results.part == "specific")
    lost = lost.assign(value=lost.value.mask(unequal, 0.9))
    assert verdicts(pd.concat([lost, gap_row(40, 30, 50)]))["early-layers"].verdict == FAILS
    assert verdicts(pd.concat([lost, gap_row(2, -1, 5)]))["early-layers"].verdict == UNLEARNED
    rise = {(one.what, one.outcome) for one in found["rise"].checks}
    assert rise == {("pretrained", "pass"), ("finetuned", "undecided")}


def test_the_page_says_at_its_head_what_was_not_learned():
    results = pd.concat([made_up_results(), gap_row(2, -1, 5)], ignore_index=True)
    page = render_page(PageInputs(results, encoder="minilm-l6", corpus="world"), [])
    assert "The model did not learn reading world" in page.partition('id="claims"')[0]
    assert "Not learned" not in render_page(PageInputs(made_up_results()), [])


def test_a_gap_without_an_interval_leaves_the_gate_closed():
    nan = float("nan")
    task = Evidence(gap_row(50, nan, nan), 0.5, 2.0, 0.05).competence["world-qa"]
    assert not task.learned
    assert "too few examples" in not_learned(task)


def gaps(gain: float) -> pd.DataFrame:
    """What the claim about reading rests on, of one seed."""
    rows = made_up_results(gain)
    return rows[(rows.against != "") & (rows.part != "") | (rows.metric == "rise_eq3")]


def seeds(results: pd.DataFrame, *other: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of several seeds, reduced and as they are; random weights have their own."""
    every = [one[one.state != "random"].assign(seed=14 + n) for n, one in enumerate(other)]
    both = pd.concat([results, *every], ignore_index=True)
    return mean_over_seeds(both), both


def test_seeds_that_agree_and_one_that_does_not_stand_beside_the_verdict():
    results = gaps(3.0)
    same = verdicts(*seeds(results, results, results))["reading"]
    assert same.verdict == HOLDS
    assert same.seeds == (HOLDS,) * 3
    assert same.reason.endswith("holds in 3 of 3 seeds, 8 of 8 checks with the same sign in all")
    mixed = verdicts(*seeds(results, gaps(-3.0)))["reading"]
    assert mixed.seeds == (HOLDS, FAILS)
    assert mixed.verdict not in (HOLDS, FAILS)  # +3 and -3 are no gain on average
    assert "0 of 8 checks with the same sign" in mixed.reason
    assert verdicts(results)["reading"].seeds == ()


def test_a_p_value_over_seeds_covers_the_seeds():
    results = gaps(3.0)
    reduced, _ = seeds(results, gaps(-3.0))
    rows = reduced[(reduced.task == "coreference") & (reduced.layer == 6)]
    p = rows[rows.metric == "p"].value.iloc[0]
    assert p > 0.9  # each seed by itself: .0005
    equal = reduced[reduced.metric == "equivalence_p"]
    assert equal.value.max() == results[results.metric == "equivalence_p"].value.max()
    same, _ = seeds(results, results)
    before, after = (one[one.metric == "p"].value.to_numpy() for one in (results, same))
    assert (after[before < 0.1] == before[before < 0.1]).all()
    assert (after >= before).all()
