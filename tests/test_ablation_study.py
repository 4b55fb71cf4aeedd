"""The ablation study: rows for every head and layer, with paired intervals."""

import numpy as np
import pytest
from killed import left_by_a_killed_process
from made_up_encoders import (
    N_HEADS,
    N_LAYERS,
    VOCABULARY,
    made_up_encoder,
    made_up_head,
)
from small_encoders import small_tokenizer
from tokenizers.pre_tokenizers import WhitespaceSplit

from tuneprobe.encoders.encoder import Encoder
from tuneprobe.formats.examples import Examples, ExamplesBuilder
from tuneprobe.formats.results import to_frame, write_results
from tuneprobe.rng import rng
from tuneprobe.scores.glue_metrics import estimate
from tuneprobe.scores.label_scores import Labeller
from tuneprobe.studies.attention.ablation.study import (
    configuration_losses,
    draw_test_texts,
    importance_agreement,
    loss_targets,
    paired_scores,
    study_ablation,
)
from tuneprobe.studies.attention.ablation.sweep import configurations

LABELS = ["no", "perhaps", "yes"]
SETTINGS = {
    "ablations": ("uniform", "zero"),
    "max_texts": 12,
    "tokens_per_chunk": 30,
    "confidence": 0.9,
    "bootstrap": 50,
}


# Words are numbers: those of their pieces.
TOKENIZER = small_tokenizer([str(n) for n in range(4, VOCABULARY)], WhitespaceSplit())


def digit_examples(kind: str, n_texts: int = 20) -> Examples:
    """Texts of 3 to 9 numbers, the last 16 of them test examples."""
    draws, builder = rng(0, "digits"), ExamplesBuilder()
    for number in range(n_texts):
        words = draws.integers(4, VOCABULARY, size=draws.integers(3, 10)).astype(str).tolist()
        text = builder.add_text(f"t{number}", words)
        label = LABELS[number % 3] if kind == "label" else str(float(draws.normal()))
        split = "train" if number < 4 else "test"
        builder.add_example(builder.add_whole_text(text), -1, label, split)
    return builder.build()


def digit_labeller(kind: str) -> Labeller:
    made_up = made_up_encoder("bert")
    encoder = Encoder(made_up.name, made_up.state, made_up.model, TOKENIZER, "0" * 64)
    if kind == "score":
        return Labeller(encoder, made_up_head(kind="score", n_outputs=1), None)
    return Labeller(encoder, made_up_head(), LABELS)


def study(kind: str, **changed):
    settings = {**SETTINGS, **changed}
    rows = study_ablation(
        digit_labeller(kind),
        digit_examples(kind),
        task="t",
        kind=kind,
        state="finetuned",
        seed=3,
        **settings,
    )
    return to_frame(rows)


def test_every_head_and_layer_has_its_score_its_change_and_its_importance() -> None:
    frame = study("label")
    counts = frame.groupby(["metric", "ablation"]).size().to_dict()
    places = N_LAYERS * (N_HEADS + 1)
    for ablation in SETTINGS["ablations"]:
        assert counts[("accuracy", ablation)] == 1 + places
        assert counts[("accuracy_change", ablation)] == places
        assert counts[("loss_change", ablation)] == places
        assert counts[("importance_spearman", ablation)] == 1
    assert counts[("importance", "")] == N_LAYERS * N_HEADS
    assert set(frame.n) == {12}
    assert sorted(frame.layer.unique()) == [-1, 1, 2, 3]
    bounded = frame[frame.low.notna()]
    assert (bounded.low <= bounded.value + 1e-9).all()
    assert (bounded.value <= bounded.high + 1e-9).all()


def test_a_change_is_the_ablated_score_minus_the_intact_one() -> None:
    frame = study("label")
    frame = frame[frame.ablation == "zero"].set_index(["metric", "layer", "head"]).value
    change = frame["accuracy"].drop((-1, -1)) - frame["accuracy"][(-1, -1)]
    np.testing.assert_allclose(change, frame["accuracy_change"], atol=1e-3)
    assert change.abs().max() > 0


def test_a_regression_is_scored_by_its_correlations() -> None:
    assert {"pearson_change", "spearman_change", "loss_change"} <= set(study("score").metric)


def test_the_same_seed_gives_the_same_rows_and_one_ablation_less_changes_no_other() -> None:
    both, one = study("label"), study("label", ablations=("zero",))
    kept = both[both.ablation != "uniform"].reset_index(drop=True)
    assert kept.equals(one)


def test_a_second_run_writes_the_same_bytes_over_what_a_killed_one_left(tmp_path) -> None:
    settings = {"task": "t", "kind": "label", "state": "finetuned", "seed": 3, **SETTINGS}
    path = tmp_path / "heads.csv"
    written = []
    for _ in range(2):
        write_results(
            study_ablation(digit_labeller("label"), digit_examples("label"), **settings), path
        )
        written.append(path.read_bytes())
        (left_by_a_killed_process(path) / path.name).write_text("study,encoder")
    assert written[0] == written[1]


def test_the_intact_score_is_that_of_the_metric_by_itself() -> None:
    draws = np.random.default_rng(1)
    gold, predicted = draws.normal(size=40), [draws.normal(size=40) for _ in range(3)]
    score, change = paired_scores("pearson", gold, predicted, 0.9, 200, rng(1, "x"))
    for place, one in enumerate(predicted):
        alone = estimate("pearson", gold, one, confidence=0.9, n_bootstrap=200, rng=rng(1, "x"))
        assert tuple(part[place] for part in score) == pytest.approx(alone)
    assert [part[0] for part in change] == [0.0, 0.0, 0.0]


def test_the_interval_of_a_change_is_paired() -> None:
    gold = np.repeat(["a", "b"], 50)
    wrong_once = gold.copy()
    wrong_once[0] = "b"
    score, change = paired_scores("accuracy", gold, [gold, wrong_once], 0.9, 2000, rng(1, "x"))
    assert score.value.tolist() == [100.0, 99.0]
    assert change.value[1] == pytest.approx(-1.0)
    assert -4 < change.low[1] < -1 <= change.high[1] <= 0


def test_a_label_that_the_head_does_not_know_has_no_loss() -> None:
    targets = loss_targets(np.array(["yes", "never"], dtype=object), LABELS)
    assert targets.tolist() == [2, -100]
    outputs = np.zeros((1, 2, 3), dtype=np.float32)
    assert configuration_losses(outputs, targets)[0] == pytest.approx([np.log(3), 0.0])


def test_drawn_texts_are_test_texts_with_all_their_examples() -> None:
    examples = digit_examples("label")
    assert len(draw_test_texts(examples, 100, rng(1, "x")).examples) == 16
    drawn = draw_test_texts(examples, 5, rng(1, "x")).examples
    assert len(drawn) == 5
    assert set(drawn.split) == {"test"}
    assert drawn.index.is_monotonic_increasing


def test_importance_that_orders_heads_as_their_effect_agrees_fully() -> None:
    places = configurations(1, 3)
    losses = np.array([[1.0, 1.0], [1.0, 1.2], [0.0, 1.0], [3.0, 3.0], [9.0, 9.0]])
    assert importance_agreement(np.array([[0.1, 0.2, 0.3]]), losses, places) == pytest.approx(1.0)
    assert importance_agreement(np.array([[0.3, 0.2, 0.1]]), losses, places) == pytest.approx(-1.0)
