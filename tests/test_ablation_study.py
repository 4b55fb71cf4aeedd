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
from tuneprobe.stats import Interval
from tuneprobe.studies.attention.ablation.pruning import pruned_counts, pruned_outputs
from tuneprobe.studies.attention.ablation.study import (
    configuration_losses,
    draw_test_texts,
    importance_agreement,
    largest,
    loss_targets,
    paired_scores,
    study_ablation,
)
from tuneprobe.studies.attention.ablation.sweep import configurations
from tuneprobe.tuning.labelled_texts import labelled_texts
from tuneprobe.tuning.labelling import predict

LABELS = ["no", "perhaps", "yes"]
SETTINGS = {
    "ablations": ("uniform", "zero"),
    "max_texts": 12,
    "tokens_per_chunk": 30,
    "confidence": 0.9,
    "bootstrap": 50,
}


DIGITS = small_tokenizer([str(number) for number in range(4, VOCABULARY)], WhitespaceSplit())


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
    encoder = Encoder(made_up.name, made_up.state, made_up.model, DIGITS, "0" * 64)
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
        assert counts[("mean_accuracy_change", ablation)] == 1
        assert counts[("mean_loss_change", ablation)] == 1
        assert counts[("largest_accuracy_change", ablation)] == 2  # of heads, of layers
    for ablation in ("pruned", "pruned-at-random"):
        assert counts[("accuracy_change", ablation)] == 10
    assert counts[("importance", "")] == N_LAYERS * N_HEADS
    pruned = frame.ablation.str.startswith("pruned")
    assert set(frame.n[~pruned]) == {12}
    assert set(frame.n[pruned]) == {6}  # the other texts rank the heads
    assert sorted(frame.layer.unique()) == [-1, 1, 2, 3]
    bounded = frame[frame.low.notna()]
    assert (bounded.low <= bounded.value + 1e-9).all()
    assert (bounded.value <= bounded.high + 1e-9).all()


def test_a_change_is_the_ablated_score_minus_the_intact_one() -> None:
    frame = study("label")
    frame = frame[frame.ablation == "zero"].set_index(["metric", "layer", "head"]).value
    heads = frame["accuracy_change"][frame["accuracy_change"].index.get_level_values(1) >= 0]
    assert frame["mean_accuracy_change"].item() == pytest.approx(heads.mean(), abs=1e-3)
    largest = frame["largest_accuracy_change"]
    assert largest[largest.index.get_level_values(1) >= 0].item() == heads.max()
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
    score, change, samples = paired_scores("pearson", gold, predicted, 0.9, 200, rng(1, "x"))
    for place, one in enumerate(predicted):
        alone = estimate("pearson", gold, one, confidence=0.9, n_bootstrap=200, rng=rng(1, "x"))
        assert tuple(part[place] for part in score) == pytest.approx(alone)
    assert [part[0] for part in change] == [0.0, 0.0, 0.0]
    assert samples.shape == (3, 200)
    assert (samples[0] == 0).all()


def test_the_interval_of_a_change_is_paired() -> None:
    gold = np.repeat(["a", "b"], 50)
    wrong_once = gold.copy()
    wrong_once[0] = "b"
    score, change, _ = paired_scores("accuracy", gold, [gold, wrong_once], 0.9, 2000, rng(1, "x"))
    assert score.value.tolist() == [100.0, 99.0]
    assert change.value[1] == pytest.approx(-1.0)
    assert -4 < change.low[1] < -1 <= change.high[1] <= 0


def simulated(true: np.ndarray, n: int, seed: int) -> Interval:
    """The largest of correlated means of n examples."""
    draw = np.random.default_rng(seed)
    data = draw.normal(size=(n, len(true))) + draw.normal(size=(n, 1)) + true
    samples = draw.multinomial(n, np.full(n, 1 / n), size=300) @ data / n
    return largest(data.mean(axis=0), samples.T, n, confidence=0.9)


@pytest.mark.parametrize("top", [0.0, 0.5])
def test_the_interval_of_the_largest_change_holds_it_though_it_was_chosen(top) -> None:
    true = np.zeros(72)
    true[5] = top
    found = [simulated(true, 60, seed) for seed in range(150)]
    covered = np.mean([one.low <= top <= one.high for one in found])
    assert covered > 0.85
    assert np.mean([one.low <= 0 for one in found]) > (0.85 if top == 0 else 0)
    naive = np.mean([one.value - 1.645 * (2 / 60) ** 0.5 <= top for one in found])
    assert (naive < 0.8) == (top == 0)


def test_too_few_examples_have_a_largest_change_without_an_interval() -> None:
    found = largest(np.array([1.0, 2.0]), np.ones((2, 9)), 19, confidence=0.9)
    assert found.value == 2
    assert np.isnan([found.low, found.high]).all()
    still = largest(np.zeros(3), np.zeros((3, 9)), 30, confidence=0.9)
    assert still == (0, 0, 0)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_pruned_heads_are_those_that_a_hook_silences(count) -> None:
    labeller, examples = digit_labeller("label"), digit_examples("label")
    data = labelled_texts(labeller.encoder, examples, "test", np.zeros(16, dtype=np.int64))
    order = rng(1, "order").permutation(N_LAYERS * N_HEADS)
    (found,) = pruned_outputs(labeller.head, data, order, [count], tokens_per_chunk=30)
    handles = []
    for number, layer in enumerate(labeller.encoder.model.encoder.layer):
        heads = [place % N_HEADS for place in order[:count] if place // N_HEADS == number]

        def silence(_, given, heads=heads):
            (context,) = given
            per_head = context.unflatten(-1, (N_HEADS, -1)).clone()
            per_head[:, :, heads] = 0.0
            return (per_head.flatten(-2),)

        handles.append(layer.attention.output.dense.register_forward_pre_hook(silence))
    expected = predict(labeller.encoder, labeller.head, examples)
    for handle in handles:
        handle.remove()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_heads_are_pruned_by_tenths() -> None:
    assert pruned_counts(144)[:3] == [0, 14, 29]
    assert pruned_counts(4) == [0, 1, 2, 3, 4]


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
