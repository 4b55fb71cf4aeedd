"""The six invariants over many families: kept, or the study that needs one is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import foreign_encoders as foreign
import numpy as np
import pandas as pd
import pytest
import torch
from encoder_families import BEGIN, DOCS, END, FAMILIES, TEXTS, checked, row, write_family
from tiny_reader import write_tiny_bert
from typer.testing import CliRunner

from tuneprobe import encoder_check
from tuneprobe.cli import app
from tuneprobe.encoder_check import (
    ABLATION,
    INVARIANTS,
    LOADS,
    MAPS,
    PADDING,
    PIECES,
    UNKNOWN,
    Report,
    check_encoder,
)
from tuneprobe.encoders.encoder import load_encoder, pad_batch
from tuneprobe.encoders.represent import cut_texts
from tuneprobe.formats.examples import ExamplesBuilder
from tuneprobe.formats.results import to_frame
from tuneprobe.scores.label_scores import Labeller
from tuneprobe.studies.attention.ablation.passes import ablated_pass, summed_contexts
from tuneprobe.studies.attention.ablation.pruning import pruned_counts, pruned_outputs
from tuneprobe.studies.attention.ablation.study import study_ablation
from tuneprobe.tuning.heads import last_layer, make_head
from tuneprobe.tuning.labelled_texts import labelled_texts


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return checked(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("family", "report"), [(family, family) for family in FAMILIES], indirect=["report"]
)
def test_a_family_keeps_all_invariants_or_is_refused_and_the_documentation_says_which(
    family: str, report: Report
) -> None:
    assert [one for one in report.invariants if one.holds is False] == []
    assert [one.name for one in report.invariants] in ([], list(INVARIANTS))
    for sentence in (report.refusal, *(one.found for one in report.invariants if one.refused)):
        assert "\n" not in sentence
        assert "Traceback" not in sentence
    _, documented = DOCS.read_text().split(BEGIN)
    assert row(family, report) in documented.split(END)[0]


def test_the_families_that_readers_ask_for_run_all_studies() -> None:
    documented = DOCS.read_text()
    for family in (
        "albert bert camembert deberta deberta-v2 distilbert electra modernbert mpnet roberta "
        "xlm-roberta"
    ).split():
        (line,) = (line for line in documented.splitlines() if line.startswith(f"| {family} |"))
        assert "| no |" not in line
    rows = documented.split(BEGIN)[1].split(END)[0].splitlines()[2:]
    assert len(rows) == len(FAMILIES)


@torch.inference_mode()
@pytest.mark.parametrize("family", ["albert", "deberta-v2", "modernbert", "mpnet"])
def test_contexts_of_zero_are_weights_of_zero(family: str, tmp_path: Path) -> None:
    encoder = load_encoder("tiny", path=str(write_family(family, tmp_path)))
    words = [[segment.split() for segment in column] for column in zip(*TEXTS[:2], strict=True)]
    texts = pd.DataFrame({"source": ["a", "b"], "words1": words[0], "words2": words[1]})
    batch = pad_batch(encoder, cut_texts(encoder, texts, "pair"))
    sums = summed_contexts(encoder, batch)
    assert sums.shape == (2, 2, 8)
    zeros = [torch.zeros(2, 8)] * 2
    intact = last_layer(encoder, batch)
    for layer, head in ((1, 0), (2, 1), (2, -1)):
        cut = ablated_pass(encoder, batch, layer, head, "zero")
        replaced = ablated_pass(encoder, batch, layer, head, "mean", zeros)
        torch.testing.assert_close(replaced, cut, rtol=0, atol=2e-5)
        assert (cut - intact).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["albert", "deberta-v2", "modernbert", "mpnet"])
def test_ablation_runs_whole_on_a_family_that_is_not_built_as_bert(
    family: str, tmp_path: Path
) -> None:
    encoder, builder = (
        load_encoder("tiny", path=str(write_family(family, tmp_path))),
        ExamplesBuilder(),
    )
    for number, segments in enumerate(TEXTS):
        text = builder.add_text(f"t{number}", *(segment.split() for segment in segments))
        label = ("no", "yes")[number % 2]
        builder.add_example(builder.add_whole_text(text), -1, label, "test")
    examples, head = (
        builder.build(),
        make_head("label", encoder.dim, 7, n_outputs=2, n_spans=1).eval(),
    )
    settings = {"tokens_per_chunk": 64, "confidence": 0.9, "bootstrap": 20, "max_texts": 9}
    labeller, names = Labeller(encoder, head, ["no", "yes"]), ("t", "label", "finetuned", 3)
    of = dict(zip(("task", "kind", "state", "seed"), names, strict=True))
    frame = to_frame(study_ablation(labeller, examples, **of, ablations=("uniform",), **settings))
    n_heads = int(encoder.model.config.num_attention_heads)
    counts = frame.groupby(["metric", "ablation"]).size()
    assert counts["accuracy", "uniform"] == 1 + 2 * (1 + n_heads)
    assert counts["importance", ""] == 2 * n_heads
    assert counts["accuracy_change", "pruned"] == len(pruned_counts(2 * n_heads)) - 1
    data = labelled_texts(encoder, examples, "test", np.zeros(len(TEXTS), dtype=np.int64))
    upper_first = np.r_[n_heads : 2 * n_heads, 0:n_heads]
    intact, cut = pruned_outputs(head, data, upper_first, [0, n_heads], tokens_per_chunk=64)
    batch = data.batch(np.arange(len(TEXTS)))
    with torch.inference_mode():
        for found, place in ((intact, (-1, -1)), (cut, (2, -1))):
            hidden = ablated_pass(encoder, batch, *place, "zero")
            expected = head.logits(head.read(hidden, batch)).numpy()
            np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
    assert np.abs(cut - intact).max() > 1e-3


def broken(report: Report) -> list[str]:
    assert report.broken
    return [one.name for one in report.invariants if one.holds is False]


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[[], Report]:
    folder = write_family("bert", tmp_path)
    return lambda: check_encoder("tiny", TEXTS, path=str(folder))


def test_each_invariant_is_reported_when_it_is_broken(
    tiny: Callable[[], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    def maps_of_another_layer(encoders, texts, see):
        real(encoders, texts, lambda maps: see(replace(maps, layer=3 - maps.layer)))

    real = encoder_check.stream_maps
    with monkeypatch.context() as patch:
        patch.setattr(encoder_check, "stream_maps", maps_of_another_layer)
        assert broken(tiny()) == [MAPS]

    passed = encoder_check.ablated_pass
    with monkeypatch.context() as patch:

        def other_head(one, batch, layer, head, how):
            return passed(one, batch, layer, 1 - head, how)

        patch.setattr(encoder_check, "ablated_pass", other_head)
        assert ABLATION in broken(tiny())

    read = encoder_check.states
    with monkeypatch.context() as patch:

        def by_batch(one, texts):
            return tuple(state + 0.01 * len(texts) for state in read(one, texts))

        patch.setattr(encoder_check, "states", by_batch)
        assert broken(tiny()) == [PADDING]

    cut = encoder_check.word_pieces
    with monkeypatch.context() as patch:

        def alone(tokenizer, words):
            return [[*one, *one] for one in cut(tokenizer, words)]

        patch.setattr(encoder_check, "word_pieces", alone)
        assert broken(tiny()) == [PIECES]

    load = encoder_check.stored_model

    def drawn_anew(*given):
        model, digest = load(*given)
        torch.nn.init.normal_(model.embeddings.LayerNorm.bias.data)
        return model, digest

    with monkeypatch.context() as patch:
        patch.setattr(encoder_check, "stored_model", drawn_anew)
        found = broken(tiny())
    assert found == [LOADS]


def test_an_encoder_of_another_language_is_broken_and_no_study_runs(tmp_path: Path) -> None:
    found = check_encoder(
        "x", (("der alte rote drachen flog " * 4, ""),), path=str(write_tiny_bert(tmp_path))
    )
    assert broken(found) == [UNKNOWN]
    assert all("are unknown to 'x'" in reason for reason in found.studies.values())


def test_the_command_ends_with_1_where_an_encoder_cannot_be_used(tmp_path: Path) -> None:
    runner = CliRunner()
    foreign.decoder(tmp_path / "gpt")
    done = runner.invoke(app, ["encoder", "check", str(tmp_path / "gpt"), "--json"])
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert "'gpt' (gpt2) reads from left to right" in said["refusal"]
    assert set(said["studies"].values()) == {said["refusal"]}


def test_the_command_prints_what_is_kept_and_which_study_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_family("mpnet", tmp_path / "mine")
    check = encoder_check.check_encoder
    monkeypatch.setattr(
        encoder_check, "check_encoder", lambda name, **source: check(name, TEXTS, **source)
    )
    done = CliRunner().invoke(app, ["encoder", "check", str(tmp_path / "mine")])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "mine (mpnet)"
    assert sum(line.startswith("  kept: ") for line in lines) == 6
    assert lines[-1] == "attention, ablation: can run"


def test_a_folder_without_a_model_is_one_sentence(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["encoder", "check", str(tmp_path)])
    assert "it has no config.json" in str(done.exception)
