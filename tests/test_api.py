"""The library: its documentation runs, its functions equal slow ones, mistakes are sentences."""

import doctest
import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_reader import write_tiny_bert

from tuneprobe import api
from tuneprobe.api import ArrayError, encode, pair_auc
from tuneprobe.encoders.encoder import load_encoder


@pytest.mark.usefixtures("one_thread")
def test_the_documentation_of_the_library_runs_as_it_is_written(root: Path) -> None:
    """Each example shows what docs/library.md and the notebook made of it say."""
    module = runpy.run_path(str(root / "docs" / "notebook.py"))
    text = (root / "docs" / "library.md").read_text(encoding="utf-8")
    assert sum(len(examples) for _, examples, _ in module["cells"](text)) > 25
    found = module["notebook"](text)
    committed = json.loads((root / "docs" / "library.ipynb").read_text(encoding="utf-8"))
    assert found == committed, "run 'make notebook'"
    shown = [one["text"] for cell in found["cells"] for one in cell.get("outputs", ())]
    wanted = [
        "".join(example.exc_msg or example.want for example in examples)
        for _, examples, _ in module["cells"](text)
    ]
    assert [_plain(one) for one in shown] == [_plain(one) for one in wanted if one]
    assert doctest.testmod(api).failed == 0


def _plain(shown: str) -> str:
    """Without the module that an error's name begins with, which doctest ignores too."""
    return re.sub(r"^[\w.]*\.(\w+Error:)", r"\1", shown, flags=re.MULTILINE)


def test_every_name_of_the_library_is_documented(root: Path) -> None:
    text = (root / "docs" / "library.md").read_text()
    for name in api.__all__:
        assert getattr(api, name).__doc__
        assert f"{name}(" in text
        assert f"`{name}`" in str(api.__doc__)


def test_the_share_of_negatives_below_the_match_is_counted_one_by_one() -> None:
    draws = np.random.default_rng(3)
    anchors, matches, negatives = (
        draws.normal(size=shape) for shape in ((24, 4), (24, 4), (24, 9, 4))
    )
    negatives[0, 0], anchors[1] = matches[0], 0.0  # a tie is lost; a zero vector has cosine 0
    shares = []
    for anchor, match, others in zip(anchors, matches, negatives, strict=True):

        def cosine(vector, anchor=anchor):
            length = np.linalg.norm(anchor) * np.linalg.norm(vector)
            return anchor @ vector / length if length else 0.0

        shares.append(np.mean([cosine(other) < cosine(match) - 1e-9 for other in others]))
    found = pair_auc(anchors, matches, negatives, n_bootstrap=200)
    assert found.value == pytest.approx(np.mean(shares))
    assert found.low < found.value < found.high
    assert shares[1] == 0.0


def test_sentences_and_words_are_read_as_the_model_reads_them(tmp_path: Path) -> None:
    folder = str(write_tiny_bert(tmp_path))
    encoder = load_encoder("x", path=folder)
    sentences = ["the old kite", "ann flew tulips by the river"]
    wholes, words = (encode(sentences, words=each, path=folder) for each in (False, True))
    assert wholes.shape == (3, 2, 16)
    assert words.shape == (3, 9, 16)
    for number, sentence in enumerate(sentences):
        inputs = encoder.tokenizer(sentence, return_tensors="pt")
        with torch.inference_mode():
            layers = encoder.model(**inputs, output_hidden_states=True).hidden_states
        for layer, hidden in enumerate(layers):
            np.testing.assert_allclose(wholes[layer, number], hidden[0, 0], atol=1e-5)
            first = words[layer, 3 * number]
            np.testing.assert_allclose(first, hidden[0, 1], atol=1e-5)
    np.testing.assert_array_equal(encode([one.split() for one in sentences], path=folder), wholes)
    assert not np.allclose(encode(sentences, state="random", path=folder), wholes)


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    for sentences, why in (([], "there is no sentence"), (["a", " "], "sentence 1 has no word")):
        with pytest.raises(ArrayError, match=f"{why}: give at least one"):
            encode(sentences, path=str(tmp_path))
    with pytest.raises(ArrayError, match=r"\(2, 3\), \(2, 3\) and \(2, 3\): expected \(n, dim\)"):
        pair_auc(np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ArrayError, match="NaN or infinity"):
        pair_auc([[1.0, np.nan]], [[1, 1]], [[[1, 1]]])
