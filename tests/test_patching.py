"""States put into the other model at words of pairs: against hooks and plain loops."""

import numpy as np
import pytest
import torch
from made_up_encoders import VOCABULARY, made_up_encoder
from small_encoders import small_tokenizer
from tokenizers.pre_tokenizers import WhitespaceSplit

from tuneprobe.encoders.encoder import Encoder, pad_batch
from tuneprobe.encoders.represent import cut_texts
from tuneprobe.formats.examples import NO_SPAN, Examples, ExamplesBuilder
from tuneprobe.rng import rng
from tuneprobe.states import FINETUNED, PRETRAINED
from tuneprobe.studies.change.patching.study import (
    ANCHOR,
    ELSEWHERE,
    MATCH,
    Patch,
    PatchError,
    elsewhere,
    patch_rows,
    patched_scores,
    patched_state,
    patches,
    sampled_pairs,
)
from tuneprobe.studies.change.restore.layers import OTHER, UP_TO, Mixture, Pair
from tuneprobe.studies.pairwise.probe.paragraphs import pairs_from_examples

NUMBERS = small_tokenizer([str(n) for n in range(4, VOCABULARY)], WhitespaceSplit())
SETTINGS = {"layout": "pair", "tokens_per_batch": 60}


def encoders() -> dict[str, Encoder]:
    made = {state: made_up_encoder("bert", n) for n, state in enumerate((PRETRAINED, FINETUNED))}
    return {s: Encoder(one.name, s, one.model, NUMBERS, "0" * 64) for s, one in made.items()}


def pair_examples(n_texts: int) -> Examples:
    """Questions of 3 words, paragraphs of 8; the match is two words of it."""
    draws, builder = rng(0, "pairs"), ExamplesBuilder()
    for number in range(n_texts):
        words = draws.integers(4, VOCABULARY, size=11).astype(str).tolist()
        text = builder.add_text(f"t{number}", words[:3], words[3:])
        for place in range(8):
            builder.add_span(text, 1, place, place + 1, "word")
        start = int(draws.integers(7))
        match = builder.add_span(text, 1, start, start + 2, "match")
        anchor = builder.add_span(text, 0, number % 3, number % 3 + 1, "anchor")
        builder.add_example(anchor, match, ("synonyms", "coreference")[number % 2], "test")
    return builder.build()


@torch.inference_mode()
def test_a_state_put_into_itself_changes_nothing_and_all_of_them_put_the_layers_back() -> None:
    both, examples = encoders(), pair_examples(3)
    pair = Pair(both[PRETRAINED].model, both[FINETUNED].model)
    inputs = pad_batch(both[FINETUNED], cut_texts(both[FINETUNED], examples.texts, "pair"))
    known = {state: pair.hidden(state, inputs) for state in both}
    shape = inputs["input_ids"].shape
    nowhere, everywhere = torch.zeros(shape, dtype=torch.bool), torch.ones(shape, dtype=torch.bool)
    some = everywhere.clone()
    some[:, 4:] = False
    for base, other in OTHER.items():
        alike = {base: known[base], other: known[base]}  # the other model has the same states
        for layer in range(3):
            patch = Patch(base, layer, MATCH)
            for places, states in ((some, alike), (nowhere, known)):
                last = patched_state(pair, patch, inputs, states, places)
                assert torch.equal(last, known[base][1])
            [whole] = pair.passes(inputs, known, [Mixture(base, UP_TO, layer)])
            assert torch.equal(patched_state(pair, patch, inputs, known, everywhere), whole)
            mixed = patched_state(pair, patch, inputs, known, some)
            assert not torch.equal(mixed, known[base][1])
            assert not torch.equal(mixed, whole)


def plain_auc(model, inputs, layer, states, places, anchor, words, match) -> float:
    """One text: a hook writes states at some pieces; cosines by loops."""

    def write(_, args):
        hidden = args[0].clone()
        hidden[0, places] = states[0, places]
        return (hidden, *args[1:])

    handle = model.encoder.layer[layer].register_forward_pre_hook(write)
    last = model(**inputs).last_hidden_state[0].double()
    handle.remove()

    def cosine(one, other) -> float:
        return float(torch.nn.functional.cosine_similarity(one, other, dim=0))

    target = cosine(last[anchor], last[[words[m] for m in match]].mean(dim=0))
    others = [cosine(last[anchor], last[p]) for n, p in enumerate(words) if n not in match]
    return 100 * float(np.mean([other < target for other in others]))


def test_scores_are_those_of_hooks_and_loops() -> None:
    both, examples = encoders(), pair_examples(12)
    pair, tuned = Pair(both[PRETRAINED].model, both[FINETUNED].model), both[FINETUNED]
    wanted, rows = patches(3, 2), np.arange(12)
    assert [one.layer for one in wanted] == [2] * 6
    found = patched_scores(pair, tuned, examples, rows, wanted, draws=rng(1, "x"), **SETTINGS)
    where = elsewhere(pairs_from_examples(examples, rows), rng(1, "x"))
    with torch.inference_mode():
        for row, pieces in enumerate(cut_texts(tuned, examples.texts, "pair")):
            inputs = pad_batch(tuned, [pieces])
            of = examples.examples.iloc[row]
            anchor = 1 + int(examples.spans.start[of.span1])
            words = [5 + n for n in range(8)]  # [CLS], three words, [SEP]
            start = int(examples.spans.start[of.span2])
            match = [start, start + 1]
            assert not set(where[row]) & set(match)
            assert len(set(where[row])) == 2
            spans = {
                ANCHOR: [anchor],
                MATCH: [words[n] for n in match],
                ELSEWHERE: [words[n] for n in where[row]],
            }
            for number, patch in enumerate(wanted):
                model, other = both[patch.base].model, both[OTHER[patch.base]].model
                states = other(**inputs, output_hidden_states=True).hidden_states[patch.layer]
                args = (model, inputs, patch.layer, states)
                score = plain_auc(*args, spans[patch.span], anchor, words, match)
                assert found.patched[number, row] == pytest.approx(score)
                intact = plain_auc(*args, [], anchor, words, match)
                assert found.intact[int(patch.base == PRETRAINED), row] == pytest.approx(intact)


def test_rows_are_paired_means_by_probe() -> None:
    both, examples = encoders(), pair_examples(60)
    pair = Pair(both[PRETRAINED].model, both[FINETUNED].model)
    shared = {"task": "t", "seed": 3}
    intervals = {"confidence": 0.95, "bootstrap": 100}
    args = (pair, both[FINETUNED], examples)
    rows = patch_rows(*args, per_probe=25, every=2, **SETTINGS, **shared, **intervals)
    found = {(r.metric, r.label, r.state, r.part): r for r in rows}
    assert len(found) == len(rows) == 2 * (2 + 6 + 4)
    probes = dict(sampled_pairs(examples, 25, seed=3, task="t"))
    chosen = probes["coreference"]
    assert len(chosen) == 25
    assert set(examples.examples.label[chosen]) == {"coreference"}
    draws = rng(3, "change", "patch", "t", "coreference", "elsewhere")
    scores = patched_scores(*args, chosen, patches(3, 2), draws=draws, **SETTINGS)
    place = {one: row for row, one in enumerate(patches(3, 2))}
    for base, number in ((FINETUNED, 0), (PRETRAINED, 1)):
        row = found["pair_score", "coreference", base, ""]
        assert row.value == pytest.approx(scores.intact[number].mean())
        changed, control = (scores.patched[place[base, 2, span]] for span in (MATCH, ELSEWHERE))
        row = found["patch_change", "coreference", base, MATCH]
        assert row.value == pytest.approx((changed - scores.intact[number]).mean())
        row = found["patch_excess", "coreference", base, MATCH]
        assert row.value == pytest.approx((changed - control).mean())
        assert row.low <= row.value <= row.high
        assert (row.layer, row.against, row.n) == (2, OTHER[base], 25)


def test_examples_without_pairs_are_refused() -> None:
    examples = pair_examples(4)
    alone = examples.examples.assign(span1=NO_SPAN)
    with pytest.raises(PatchError, match="the examples of t have no pair of words"):
        list(sampled_pairs(Examples(examples.texts, examples.spans, alone), 5, 1, "t"))
