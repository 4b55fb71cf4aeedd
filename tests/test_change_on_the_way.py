"""Layers put back during a tuning, and the line between two tunings: against plain loops."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from labels_tuned_in_process import SETTINGS
from made_up_encoders import made_up_head
from small_encoders import ARCHITECTURES, made_up_pieces, small_encoder
from test_ablation_study import LABELS, digit_examples
from test_change_study import INTERVALS, digit_encoders, mixed
from tiny_labels import tagged_words

from tuneprobe.encoders.encoder import load_encoder, pad_batch
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.studies.change.restore.layers import ONE, UP_TO, Mixture
from tuneprobe.studies.change.restore.outcomes import label_problem
from tuneprobe.studies.change.seeds.study import SHUFFLED, reordered, seed_rows
from tuneprobe.studies.change.steps import study
from tuneprobe.studies.change.steps.study import follow_layers, step_mixtures, step_rows
from tuneprobe.tuning.labelling import load_label_head, predict
from tuneprobe.tuning.snapshots import CHECKPOINT, step_folder, write_snapshots

pytestmark = pytest.mark.usefixtures("one_thread")
TUNING = {**SETTINGS, "epochs": 1, "batch": 5, "kind": "label"}  # eight updates
WAYS = {
    "full": {},
    "lora": {
        "way": "lora",
        "lora": {"rank": 2, "alpha": 4, "targets": [], "learning_rate": 1e-2},
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_layers_put_back_on_the_way_give_what_the_weights_of_each_step_give(
    way: str, source, tmp_path, monkeypatch
) -> None:
    examples, before = tagged_words(60), load_encoder("tiny", path=str(source))
    tuning = TUNING | WAYS[way]
    write_snapshots(
        load_encoder("tiny", path=str(source)),
        examples,
        every=3,
        keep_weights=True,
        out=tmp_path / "snapshots",
        work=tmp_path / "work",
        **tuning,
    )
    settings = {"task": "t", "steps": [3, 6, 99], "max_texts": 99, "tokens_per_batch": 99}

    def follow():
        now = load_encoder("tiny", path=str(source))
        return follow_layers(before, now, examples, work=tmp_path / "resume", **settings, **tuning)

    if way == "full":
        run, begun = study.run_mixtures, []

        def stops(*args, **named):
            begun.append(args)
            if len(begun) == 2:
                raise KeyboardInterrupt
            return run(*args, **named)

        with monkeypatch.context() as patch:
            patch.setattr(study, "run_mixtures", stops)
            with pytest.raises(KeyboardInterrupt):
                follow()
        assert (tmp_path / "resume").exists()
    looked = follow()  # after a stop it begins anew: what had been looked at is gone
    assert not (tmp_path / "resume").exists()
    assert sorted(looked) == [3, 6, 8]
    wanted = step_mixtures(2)
    assert wanted[0] == Mixture(FINETUNED, ONE, 1)
    assert wanted[-1] == Mixture(FINETUNED, UP_TO, 2)
    losses = {}
    for step, outcomes in looked.items():
        folder = step_folder(tmp_path / "snapshots", step) / CHECKPOINT
        tuned = load_encoder("tiny", path=str(source), state=FINETUNED, checkpoint=folder)
        head, labels = load_label_head(folder)
        models = {PRETRAINED: before.model, FINETUNED: tuned.model}
        with torch.no_grad():
            changed = [mixed(mixture, models) for mixture in wanted]
        for place, model in enumerate([tuned.model, before.model, *changed]):
            logits = torch.from_numpy(predict(replace(tuned, model=model), head, examples))
            lost = [
                -torch.log_softmax(one, 0)[labels.index(gold)].item()
                for one, gold in zip(logits, outcomes.gold, strict=True)
            ]
            assert outcomes.losses[place] == pytest.approx(np.array(lost), abs=1e-4)
            losses[step, place] = np.mean(lost)
    rows = step_rows(looked, task="t", seed=13, **INTERVALS)
    found = {(row.metric, row.step, row.layer): row for row in rows}
    assert len(found) == len(rows) == 3 * (2 + 2 * 4 + 1)
    for step in looked:
        assert found["step_loss", step, -1].value == pytest.approx(losses[step, 0], abs=1e-4)
        rises = [losses[step, 2 + place] - losses[step, 0] for place in range(4)]
        for place, one in enumerate(wanted):
            name = "step_layer" if one.scope == ONE else "step_up_to"
            row = found[f"{name}_loss_change", step, one.layer]
            assert row.value == pytest.approx(rises[place], abs=1e-4)
            assert row.low <= row.value <= row.high
        row = found["upper_over_lower", step, -1]
        assert row.value == pytest.approx(rises[1] - rises[0], abs=1e-4)
        assert row.low < row.value < row.high


def test_the_line_between_two_tunings_is_that_of_models_and_heads_made_by_hand() -> None:
    first, other = digit_encoders().values()
    heads = [made_up_head(), made_up_head()]
    torch.nn.init.normal_(heads[1].output.weight, std=0.3, generator=torch.manual_seed(8))
    shared, examples = {"task": "t", "seed": 3}, digit_examples("label", n_texts=40)
    problem = label_problem(other, heads[1], LABELS, examples, max_texts=24, **shared)
    rows = seed_rows(
        first,
        other,
        heads[0],
        problem,
        shares=[0.5, 1.25],
        tokens_per_batch=30,
        **shared,
        **INTERVALS,
    )
    found = {(row.metric, row.state, row.step): row for row in rows}
    assert {row.step for row in rows} == {-1, 0, 50, 100}  # never beyond the other
    assert {row.against for row in rows} == {FINETUNED}
    losses = {}
    with torch.inference_mode():
        for share in (0, 0.5, 1):
            made = []
            for pair in ((first.model, other.model), heads):
                ends, mean = [one.state_dict() for one in pair], deepcopy(pair[1])
                mean.load_state_dict({k: w + share * (ends[1][k] - w) for k, w in ends[0].items()})
                made.append(mean)
            lost = []
            for pieces, gold in zip(problem.data.pieces, problem.gold, strict=True):
                hidden = made[0](**pad_batch(other, [pieces])).last_hidden_state
                logits = made[1].output(hidden[0, 0]).double()
                lost.append(-torch.log_softmax(logits, 0)[LABELS.index(gold)])
            losses[share] = float(torch.stack(lost).mean())
            value = found["seed_path_loss", FINETUNED, round(100 * share)].value
            assert value == pytest.approx(losses[share], abs=1e-4)
    rise = losses[0.5] - (losses[0] + losses[1]) / 2
    assert found["seed_barrier", FINETUNED, -1].value == pytest.approx(rise, abs=1e-4)
    for end in (0, 100):  # the control is the same function at both ends, and none between
        one, control = (found["seed_path_loss", state, end] for state in (FINETUNED, SHUFFLED))
        assert control.value == pytest.approx(one.value, abs=1e-4)
    control = found["seed_barrier", SHUFFLED, -1]
    assert abs(control.value - rise) > 1e-3


@torch.inference_mode()
@pytest.mark.parametrize("family", ARCHITECTURES)
def test_hidden_units_in_another_order_are_one_function_of_other_weights(family: str) -> None:
    encoder = small_encoder(family)
    changed = reordered(encoder.model, np.random.default_rng(1))
    inputs = pad_batch(encoder, made_up_pieces((3, 4), (5, 2)))
    given, again = (model(**inputs).last_hidden_state for model in (encoder.model, changed))
    assert torch.allclose(given, again, atol=1e-4)
    weights = zip(encoder.model.parameters(), changed.parameters(), strict=True)
    assert sum(not torch.equal(*both) for both in weights) >= 2 * encoder.n_layers
    if family == "bert":
        changed.encoder.layer[0].output = torch.nn.Identity()
        assert reordered(changed, np.random.default_rng(1)) is None
