"""Layers that change places, differences, weights, erasure: against plain loops on tiny models."""

import re
import runpy
from copy import deepcopy

import numpy as np
import pytest
import torch
import yaml
from made_up_encoders import DIM, VOCABULARY, made_up_encoder, made_up_head
from small_encoders import ARCHITECTURES, LAYERS, made_up_pieces, small_encoder, small_tokenizer
from test_ablation_study import LABELS, digit_examples
from tiny_reader import WORDS, simple_questions, write_tiny_bert
from tokenizers.pre_tokenizers import WhitespaceSplit

from tuneprobe import paths
from tuneprobe.encoders.encoder import Encoder, load_encoder, pad_batch
from tuneprobe.formats.examples import Examples, ExamplesBuilder, write_examples
from tuneprobe.formats.results import read_results
from tuneprobe.measures import check_measures
from tuneprobe.rng import rng
from tuneprobe.scores.label_scores import Labeller, gold_answers, read_answers
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.studies.change.difference.pieces import PieceSample
from tuneprobe.studies.change.difference.study import difference_rows, measures
from tuneprobe.studies.change.erasure.leace import ErasureError, fit_leace
from tuneprobe.studies.change.erasure.study import erasure_rows, fit_readout
from tuneprobe.studies.change.measures import MEASURES, STUDY
from tuneprobe.studies.change.restore.layers import (
    ONE,
    OTHER,
    UP_TO,
    LayerError,
    Mixture,
    Pair,
    mixtures,
    part_of,
)
from tuneprobe.studies.change.restore.outcomes import (
    Outcomes,
    ReaderSettings,
    RestoreError,
    change_interval,
    head_rows,
    label_problem,
    reader_problem,
    run_mixtures,
    sample_bounds,
)
from tuneprobe.studies.change.restore.path import path_outcomes, path_rows
from tuneprobe.studies.change.restore.study import matters_rows, restore_rows
from tuneprobe.studies.change.weights.study import SHUFFLED, matrices, weight_rows
from tuneprobe.tuning.checkpoints import write_checkpoint
from tuneprobe.tuning.heads import QAHead, make_head

NUMBERS = small_tokenizer([str(n) for n in range(4, VOCABULARY)], WhitespaceSplit())  # "7" is 7
READER = ReaderSettings(window=40, stride=8, max_question=10, top_k=5, max_answer=5)
INTERVALS = {"confidence": 0.9, "bootstrap": 50}


def mixed(mixture: Mixture, models: dict[str, torch.nn.Module]) -> torch.nn.Module:
    """A copy of the base into which the donor's weights are written, one by one."""
    model, donor = deepcopy(models[mixture.base]), models[OTHER[mixture.base]]
    weights = dict(donor.named_parameters())
    for name, weight in model.named_parameters():
        found = re.search(r"layer\.(\d+)\.", name)
        layer = int(found[1]) + 1 if found else 0
        taken = layer <= mixture.layer if mixture.scope == UP_TO else layer == mixture.layer
        if mixture.part and found:
            taken &= part_of(name[found.end() :]) == mixture.part
        if taken:
            weight.copy_(weights[name])
    return model


@torch.inference_mode()
@pytest.mark.parametrize("family", ARCHITECTURES)
def test_every_mixture_gives_to_the_last_bit_what_a_model_with_its_weights_gives(family) -> None:
    encoders = {PRETRAINED: small_encoder(family, seed=0), FINETUNED: small_encoder(family, seed=1)}
    models = {state: encoder.model for state, encoder in encoders.items()}
    pair, wanted = Pair(models[PRETRAINED], models[FINETUNED]), mixtures(LAYERS)
    inputs = pad_batch(encoders[PRETRAINED], made_up_pieces((3, 4), (5, 2), (6, 0)))
    intact = {state: model(**inputs).last_hidden_state for state, model in models.items()}
    known = {state: pair.hidden(state, inputs) for state in models}
    assert len(wanted) == 6 * LAYERS + 2
    given = dict(zip(wanted, pair.passes(inputs, known, wanted), strict=True))
    for mixture, last in given.items():
        assert torch.equal(last, mixed(mixture, models)(**inputs).last_hidden_state), mixture
    for base, other in OTHER.items():
        assert torch.equal(given[Mixture(base, UP_TO, LAYERS)], intact[other])  # all put back
        assert torch.equal(models[base](**inputs).last_hidden_state, intact[base])  # as it was
        for layer, hidden in enumerate(known[base][0]):  # a state into itself changes nothing
            assert torch.equal(pair.resume(base, inputs, layer, hidden), intact[base])


def test_models_whose_layers_cannot_change_places_are_refused() -> None:
    with pytest.raises(LayerError, match="differ in '"):
        Pair(small_encoder("bert").model, made_up_encoder("bert").model)
    shared = deepcopy(small_encoder("bert").model)
    shared.encoder.layer = torch.nn.ModuleList(shared.encoder.layer[:1])
    with pytest.raises(LayerError, match="0 lists of 3 layers, expected one"):
        Pair(shared, shared)


def digit_encoders() -> dict[str, Encoder]:
    found = {}
    for seed, state in enumerate((PRETRAINED, FINETUNED)):
        made = made_up_encoder("bert", seed)
        found[state] = Encoder(made.name, state, made.model, NUMBERS, "0" * 64)
    return found


@pytest.mark.parametrize("kind", ["label", "score"])
def test_outcomes_and_rows_are_those_of_a_plain_loop(kind: str) -> None:
    encoders = digit_encoders()
    models = {state: encoder.model for state, encoder in encoders.items()}
    pair, wanted = Pair(models[PRETRAINED], models[FINETUNED]), mixtures(3)
    head = made_up_head(kind=kind, n_outputs=3 if kind == "label" else 1)
    labels = LABELS if kind == "label" else None
    shared = {"task": "t", "seed": 3}
    examples = digit_examples(kind, n_texts=40)
    problem = label_problem(encoders[FINETUNED], head, labels, examples, max_texts=24, **shared)
    assert len(problem.gold) == 24
    seen = PieceSample(problem.data.lengths, problem.text, 50, rng(1, "x"))
    outcomes = run_mixtures(
        pair, problem, encoders[FINETUNED], wanted, tokens_per_batch=30, observe=seen.observe
    )
    with torch.inference_mode():
        for place, mixture in enumerate(wanted, 2):
            model = mixed(mixture, models)
            for number, pieces in enumerate(problem.data.pieces):
                hidden = model(**pad_batch(encoders[FINETUNED], [pieces])).last_hidden_state
                logits = head.output(hidden[0, 0]).double()
                if kind == "label":
                    lost = -torch.log_softmax(logits, 0)[LABELS.index(problem.gold[number])]
                    said = LABELS[int(logits.argmax())]
                    assert outcomes.answers[place][number] == said
                else:
                    lost = (logits[0] - problem.gold[number]) ** 2
                assert outcomes.losses[place, number] == pytest.approx(float(lost), abs=1e-4)
        assert len(seen.after) == 4
        position = int(seen._position[0])
        at = problem.data.pieces[int(seen.texts[0])]
        alone = models[PRETRAINED](**pad_batch(encoders[FINETUNED], [at])).last_hidden_state
        assert seen.before[-1][0] == pytest.approx(alone[0, position].numpy(), abs=1e-5)
    rows = restore_rows(outcomes, wanted, **shared, **INTERVALS)
    found = {(r.metric, r.state, r.layer, r.part): r for r in rows}
    scores, losses = outcomes.values
    for place, one in enumerate(wanted, 2):
        scope = "layer" if one.scope == ONE else "up_to"
        base = [FINETUNED, PRETRAINED].index(one.base)
        row = found[f"{scope}_loss_change", one.base, one.layer, one.part]
        assert row.value == pytest.approx(losses[place] - losses[base])
        assert row.low <= row.value <= row.high
        row = found[f"{scope}_score", one.base, one.layer, one.part]
        assert row.value == pytest.approx(scores[place])
    if kind == "label":
        right = [answers == problem.gold for answers in outcomes.answers]
        assert scores == pytest.approx([100 * one.mean() for one in right])
        assert found["majority", FINETUNED, -1, ""].value >= 100 / 3
    above, below = (wanted.index(Mixture(base, UP_TO, 2)) + 2 for base in (FINETUNED, PRETRAINED))
    gap = found["above_minus_below", FINETUNED, 2, ""].value
    assert gap == pytest.approx(scores[above] - scores[below])
    ones = [losses[wanted.index(Mixture(FINETUNED, ONE, n)) + 2] for n in (1, 2, 3)]
    matter = matters_rows(
        outcomes, wanted, {"vectors_matter": np.array(ones)}, **shared, **INTERVALS
    )
    assert matter[0].value == pytest.approx(1)
    assert matters_rows(outcomes, wanted, {"x": np.ones(3)}, **shared, **INTERVALS) == []


def test_the_path_is_that_of_models_made_by_hand() -> None:
    encoders = digit_encoders()
    models = {state: encoder.model for state, encoder in encoders.items()}
    pair, head = Pair(models[PRETRAINED], models[FINETUNED]), made_up_head(n_outputs=3)
    shared, examples = {"task": "t", "seed": 3}, digit_examples("label", n_texts=40)
    problem = label_problem(encoders[FINETUNED], head, LABELS, examples, max_texts=24, **shared)
    intact = run_mixtures(
        pair, problem, encoders[FINETUNED], [], tokens_per_batch=None, observe=lambda *_: None
    )
    budget = {"tokens_per_batch": 30}
    ends = path_outcomes(pair, problem, encoders[FINETUNED], [0, 1.0], tokens_per_batch=None)
    assert (np.concatenate([end.losses for end in ends]) == intact.losses[::-1]).all()  # to the bit
    shares = [0.5, 1.25]
    between = path_outcomes(pair, problem, encoders[FINETUNED], shares, **budget)
    rows = path_rows(intact, between, shares, **shared, **INTERVALS)
    found = {(row.metric, row.step): row for row in rows}
    losses = {}
    with torch.inference_mode():
        for share in (0, 0.5, 1, 1.25):
            model, ends = deepcopy(models[FINETUNED]), [m.state_dict() for m in models.values()]
            model.load_state_dict({k: w + share * (ends[1][k] - w) for k, w in ends[0].items()})
            lost = []
            for pieces, gold in zip(problem.data.pieces, problem.gold, strict=True):
                hidden = model(**pad_batch(encoders[FINETUNED], [pieces])).last_hidden_state
                logits = head.output(hidden[0, 0]).double()
                lost.append(-torch.log_softmax(logits, 0)[LABELS.index(gold)])
            losses[share] = float(torch.stack(lost).mean())
            row = found["path_loss", round(100 * share)]
            assert row.value == pytest.approx(losses[share], abs=1e-4)
            assert row.low < row.value < row.high
    rise = found["barrier", -1]
    assert rise.value == pytest.approx(losses[0.5] - (losses[0] + losses[1]) / 2, abs=1e-4)
    assert rise.low < rise.high
    assert {row.step for row in rows} == {-1, 0, 50, 100, 125}
    none = path_rows(intact, between[1:], shares[1:], **shared, **INTERVALS)
    assert "barrier" not in {row.metric for row in none}


def test_where_no_sample_differs_the_interval_is_that_of_none_seen() -> None:
    gold = np.array(["a", "b"] * 30, dtype=object)
    half = np.array(["b"] * 30 + list(gold[30:]), dtype=object)
    wrong = np.where(gold == "a", "b", "a").astype(object)
    others = np.full(60, "c", dtype=object)  # unlike `wrong`, and just as wrong
    answers = [gold, gold, half, wrong, others]
    outcomes = Outcomes("accuracy", gold, answers, np.zeros((5, 60)), np.arange(60))
    samples = outcomes.samples(200, rng(1, "x"))
    pairs = [(1, 0), (2, 0), (4, 3), (3, 0), (0, 3)]
    found = change_interval(outcomes, samples, 0, pairs, 0.95)
    assert found.value == pytest.approx([0, -25, 0, -100, 100])
    share = 0.0596309  # by hand: (1 - share) ** 60 is 2.5 %
    assert (1 - share) ** 60 == pytest.approx(0.025, rel=1e-4)
    unseen = [found.low[[0, 2, 3, 4]], found.high[[0, 2, 3, 4]]]
    assert unseen[0] == pytest.approx([-100 * share] * 2 + [-100, 100 - 200 * share], rel=1e-4)
    assert unseen[1] == pytest.approx([100 * share] * 2 + [200 * share - 100, 100], rel=1e-4)
    assert -45 < found.low[1] < -25 < found.high[1] < -8
    low, high = sample_bounds(samples[0], 0, 60, confidence=0.95)
    assert low[[0, 3]] == pytest.approx([100 - 100 * share, 0], rel=1e-4)
    assert high[[0, 3]] == pytest.approx([100, 100 * share], rel=1e-4)
    losses = change_interval(outcomes, samples, 1, pairs, 0.95)
    assert (losses.low == 0).all()  # of a loss no share tells how large it may be
    few = Outcomes("accuracy", gold[:2], [gold[:2]] * 2, np.zeros((2, 2)), np.arange(2))
    none = change_interval(few, few.samples(20, rng(1, "x")), 0, [(1, 0)], 0.95)
    assert np.isnan(none.low).all()


def test_a_reader_is_scored_by_the_words_of_its_best_span(tmp_path) -> None:
    source = {"path": str(write_tiny_bert(tmp_path / "one", seed=0))}
    other = {"path": str(write_tiny_bert(tmp_path / "two", seed=1))}
    before, after = load_encoder("tiny", **source), load_encoder("tiny", **other)
    head = make_head("qa", before.dim, 5).eval()
    torch.nn.init.normal_(head.span.weight, generator=torch.Generator().manual_seed(1))
    assert isinstance(head, QAHead)
    shared = {"task": "t", "seed": 3}
    problem = reader_problem(
        after, head, iter(simple_questions(30, "test")), READER, max_questions=24, **shared
    )
    assert len(problem.questions) == 24
    pair, wanted = Pair(before.model, after.model), mixtures(2)
    outcomes = run_mixtures(
        pair, problem, after, wanted, tokens_per_batch=200, observe=lambda *_: None
    )
    with torch.inference_mode():
        for number, window in enumerate(problem.data.windows):
            batch = problem.data.batch([number])
            hidden = before.model(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                token_type_ids=batch["token_type_ids"],
            ).last_hidden_state[0]
            start, end = (hidden @ head.span.weight.T + head.span.bias).T
            kind = head.answer_type(hidden[0])
            lost = [
                -torch.log_softmax(logits, 0)[target]
                for logits, target in ((start, window.start), (end, window.end))
            ]
            lost.append(-torch.log_softmax(kind, 0)[window.answer_type])
            assert outcomes.losses[1, window.item] == pytest.approx(
                float(torch.stack(lost).mean()), abs=1e-4
            )
    last = wanted.index(Mixture(FINETUNED, UP_TO, 2)) + 2
    assert (outcomes.answers[last] == outcomes.answers[1]).all()
    assert 0 < outcomes.values[0][1] < 100
    rows = restore_rows(outcomes, wanted, **shared, **INTERVALS)
    assert "majority" not in {row.metric for row in rows}
    with pytest.raises(RestoreError, match="no test question of t has a short answer"):
        reader_problem(after, head, iter([]), READER, max_questions=4, **shared)


def test_differences_are_those_of_their_definitions_and_their_control_of_nothing() -> None:
    draws = np.random.default_rng(4)
    X = draws.normal(size=(160, 6)).astype(np.float32)
    Y = (X + 0.3 * draws.normal(size=X.shape) + [1, 0, 0, 0, 0, 0]).astype(np.float32)
    texts, head = np.repeat(np.arange(16), 10), np.eye(6, dtype=np.float32)[:1]
    settings = {"neighbours": 5, "axes": 2, "seed": 1, "task": "t", "confidence": 0.95}
    rows = difference_rows([X, X], [X, Y], texts, head, **settings)
    assert [row.value for row in rows if row.layer == 0] == [0.0]
    found = {(row.metric, row.state): row for row in rows if row.layer == 1}
    delta = Y - X
    total = (delta**2).sum(axis=1).mean()
    spread = ((X - X.mean(axis=0)) ** 2).sum(axis=1).mean()
    assert found["difference", FINETUNED].value == pytest.approx(100 * np.sqrt(total / spread))
    shift = (delta.mean(axis=0) ** 2).sum() / total
    assert found["mean_shift", FINETUNED].value == pytest.approx(100 * shift, rel=1e-5)
    own = (delta[:, 0] ** 2).mean() / total
    assert found["head_share", FINETUNED].value == pytest.approx(100 * own, rel=1e-5)
    for (metric, state), row in found.items():
        assert state == SHUFFLED or row.low < row.value < row.high, metric
    one, two = X.astype(float), Y.astype(float)
    left = [measures(one[m], two[m], head, 5, 2) for m in (texts % 6 != g for g in range(6))]
    errors = np.array([part["procrustes"] for part in left])
    error = np.sqrt(5 / 6 * ((errors - errors.mean()) ** 2).sum())
    row = found["procrustes", FINETUNED]
    assert row.high - row.value == pytest.approx(2.570582 * error, rel=1e-4)
    assert found["neighbour_overlap", SHUFFLED].value < 15  # of 5 in 159 by chance: 3 %
    assert abs(found["cka_debiased", SHUFFLED].value) < 0.2
    few = difference_rows([X], [Y], np.zeros(160, dtype=np.int64), head, **settings)
    assert all(np.isnan(row.low) for row in few)


def test_weights_are_summed_up_by_layer_and_part() -> None:
    before, after = (small_encoder("bert", seed=seed).model for seed in (0, 1))
    tuned = deepcopy(before)
    with torch.no_grad():
        query = tuned.encoder.layer[1].attention.self.query.weight
        query[0, 0] += 3.0  # one direction
    settings = {"directions": 2, "cosine": 0.6, "seed": 1, "confidence": 0.95}
    rows = weight_rows(matrices(before, tuned), part_of, **settings)
    found = {(r.metric, r.state, r.layer, r.part): r for r in rows}
    layer = before.encoder.layer[1].state_dict()
    size = sum((w**2).sum() for n, w in layer.items() if w.ndim == 2 and "attention" in n)
    moved = found["weight_change", FINETUNED, 2, "attention"].value
    assert moved == pytest.approx(100 * 3 / float(size) ** 0.5, rel=1e-5)
    assert found["weight_change", FINETUNED, 2, "feed-forward"].value == 0
    assert found["weight_change", FINETUNED, 0, ""].value == 0
    assert found["effective_rank", FINETUNED, 2, ""].value == pytest.approx(1)  # as its control
    assert found["intruders", FINETUNED, -1, ""].n == 2 * 6 * 3
    other = weight_rows(matrices(before, after), part_of, **settings)
    new = {(r.state, r.layer, r.part): r.value for r in other if r.metric == "intruders"}
    assert new[FINETUNED, -1, ""] > 50  # nothing of the old matrices is left
    assert {row.state for row in other} == {FINETUNED, SHUFFLED}


def word_examples(n_texts: int) -> Examples:
    """Texts of 6 words of four kinds, a piece each; the label is whether the number is even."""
    draws, builder = rng(0, "words"), ExamplesBuilder()
    for number in range(n_texts):
        words = draws.integers(4, 8, size=6)
        text = builder.add_text(f"t{number}", words.astype(str).tolist())
        for place, word in enumerate(words):
            span = builder.add_span(text, 0, place, place + 1, "word")
            split = "train" if number % 2 else "test"
            builder.add_example(span, -1, "even" if word % 2 == 0 else "odd", split)
    return builder.build()


def test_erasure_is_that_of_a_plain_loop_and_leaves_nothing_at_the_last_layer() -> None:
    encoders, examples = digit_encoders(), word_examples(60)
    head = made_up_head(n_outputs=2)
    shared = {"task": "t", "seed": 3}
    problem = label_problem(
        encoders[FINETUNED], head, ["even", "odd"], examples, max_texts=100, **shared
    )
    pair = Pair(encoders[PRETRAINED].model, encoders[FINETUNED].model)
    settings = {"draws": 2, "tokens_per_batch": 64, **shared, **INTERVALS}
    args = (pair, encoders[FINETUNED], head, examples, problem.data, problem.gold)
    rows = erasure_rows(*args, **settings)
    found = {(row.metric, row.state, row.layer): row for row in rows}
    vectors = {split: plain_vectors(encoders[FINETUNED], examples, split) for split in SPLITS}
    train, y = vectors["train"]
    test, gold = vectors["test"]
    readout = fit_readout(train[:, -1], y)
    score = 100 * (readout(test[:, -1]) == gold).mean()
    assert found["read_score", FINETUNED, -1].value == pytest.approx(score)
    erased = 100 * (readout(fit_leace(train[:, -1], y)(test[:, -1])) == gold).mean()
    assert found["erased_score", FINETUNED, 3].value == pytest.approx(erased)
    assert erased < score - 5
    excess = found["erasure_excess", FINETUNED, 2]
    both = (found[f"{name}_score", FINETUNED, 2].value for name in ("control", "erased"))
    control, without = both
    assert excess.value == pytest.approx(control - without)
    before = found["erasure_excess", PRETRAINED, 2].value
    assert found["erasure_gap", FINETUNED, 2].value == pytest.approx(excess.value - before)
    assert found["read_majority", FINETUNED, -1].value >= 50
    with pytest.raises(ErasureError, match="are whole texts"):
        erasure_rows(*args[:3], digit_examples("label"), *args[4:], **settings)


SPLITS = ("train", "test")


@torch.inference_mode()
def plain_vectors(encoder: Encoder, examples: Examples, split: str):
    """Vectors (n, layers, dim) and labels of one-piece words, text by text."""
    vectors, labels = [], []
    table = examples.examples[examples.examples.split == split]
    for span, label in zip(table.span1, table.label, strict=True):
        _, start = examples.spans.text[span], examples.spans.start[span]
        words = examples.texts.words1[examples.spans.text[span]]
        ids = torch.tensor([[2, *map(int, words), 3]])
        out = encoder.model(input_ids=ids, output_hidden_states=True)
        vectors.append([hidden[0, 1 + start].double().numpy() for hidden in out.hidden_states])
        labels.append(label)
    return np.array(vectors), np.array(labels)


def test_a_least_squares_classifier_separates_what_is_separable() -> None:
    draws = np.random.default_rng(2)
    y = draws.integers(3, size=200)
    X = draws.normal(size=(200, 5)) + 6 * np.eye(5)[y]
    readout = fit_readout(X, np.array(["a", "b", "c"])[y])
    assert (readout(X) == np.array(["a", "b", "c"])[y]).mean() > 0.97


def test_rows_of_a_head_are_directions_of_one_vector() -> None:
    assert head_rows(made_up_head(n_spans=2)).shape == (6, DIM)
    assert head_rows(make_head("qa", DIM, 1)).shape == (7, DIM)


def test_the_stage_writes_a_table_of_declared_numbers(root, source, tmp_path, monkeypatch) -> None:
    task, labels, builder = "world-pos", ["long", "short"], ExamplesBuilder()
    draws, known = rng(0, "stage"), np.array(WORDS.split())
    for number in range(60):
        words = draws.choice(known, size=6).tolist()
        text = builder.add_text(f"t{number}", words)
        for place, word in enumerate(words):
            span = builder.add_span(text, 0, place, place + 1, "word")
            split = "train" if number % 2 else "test"
            builder.add_example(span, -1, labels[len(word) < 4], split)
    examples = builder.build()
    write_examples(examples, tmp_path / paths.examples(task))
    tuned = load_encoder("tiny", path=str(write_tiny_bert(tmp_path / "other", seed=1)))
    head = make_head("label", tuned.dim, 5, n_outputs=2, n_spans=1).eval()
    folder = tmp_path / paths.checkpoint("minilm-l6", task, FINETUNED, 13)
    facts = {"labels": labels, "settings": {"way": "lora", "rank": 4}}
    write_checkpoint(folder, tuned, head, kind="label", state=FINETUNED, **facts)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["encoders"]["minilm-l6"] = {"path": str(source)}
    params["intervals"]["bootstrap"] = 30
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    stage = runpy.run_path(str(root / "stages" / "change.py"), run_name="stage")
    stage["main"]("minilm-l6", task, 13)
    table = paths.results("minilm-l6", task, STUDY, 13) / "layers.csv"
    found = check_measures(read_results(table), MEASURES)
    elsewhere = {"vectors_matter", "weights_matter"}  # of three layers
    elsewhere |= {"pair_score", "patch_change", "patch_excess", "upper_over_lower"}  # other stages
    elsewhere |= {one.name for one in MEASURES if one.name.startswith(("step_", "seed_"))}
    assert {measure.name for measure in MEASURES} - elsewhere == set(found.metric)
    assert found.value[found.metric == "lora_rank"].tolist() == [4]
    [score] = found[(found.metric == "score") & (found.state == FINETUNED)].value
    gold = gold_answers(examples, "label").to_numpy()
    said = read_answers(Labeller(tuned, head, labels), examples)
    assert score == pytest.approx(100 * (said == gold).mean(), abs=1e-3)
    again = table.read_bytes()
    stage["main"]("minilm-l6", task, 13)
    assert table.read_bytes() == again
