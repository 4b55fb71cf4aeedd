"""Classification and regression: tune an encoder on labelled texts, predict, load what was tuned.

The kind ``label`` is a classifier of words, pairs of words or whole texts (cross-entropy); the kind
``score`` is a regression (mean squared error).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from tuneprobe.artifacts import read_meta, readable
from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.forward import TokenBudget, encoding_tokens
from tuneprobe.errors import UnknownNameError
from tuneprobe.formats.examples import Examples
from tuneprobe.states import FINETUNED, FROZEN, RANDOM, RANDOM_FINETUNED
from tuneprobe.tuning.checkpoints import HEAD
from tuneprobe.tuning.finetune import finetune
from tuneprobe.tuning.heads import LabelHead, last_layer, make_head
from tuneprobe.tuning.labelled_texts import LabelError, Targets, labelled_texts, spans_per_example

KINDS = ("label", "score")
STATES = (FROZEN, FINETUNED, RANDOM_FINETUNED)


def tune_labels(
    encoder: Encoder,
    examples: Examples,
    *,
    kind: str,
    state: str,
    seed: int,
    facts: Mapping[str, Any] | None = None,
    **training: Any,
) -> list[float]:
    """Tune an encoder and a head drawn under `seed` on the training examples.

    The loss of a step is the mean over all examples of its texts; texts without training examples
    are left out. A label that only test examples have is none of the head's outputs.

    Parameters
    ----------
    kind : str
        ``label`` or ``score``.
    state : str
        ``finetuned``; ``random-finetuned``, on an encoder in the state ``random``; or ``frozen``:
        the head alone is trained.
    facts, training : Any
        Passed on to `finetune`.

    Raises
    ------
    LabelError
        If nothing can be learned from the examples, or `state` is not that of the encoder.
    """
    if state not in STATES:
        raise UnknownNameError("state", state, STATES)
    if (state == RANDOM_FINETUNED) != (encoder.state == RANDOM):
        raise LabelError(
            f"the state '{state}' was asked of an encoder in the state '{encoder.state}': "
            f"load it as 'random' for '{RANDOM_FINETUNED}', as 'pretrained' otherwise."
        )
    labels = train_labels(examples, kind)
    head = untrained_head(encoder, examples, kind, seed)
    data = labelled_texts(encoder, examples, "train", _targets(examples, labels))
    return finetune(
        encoder,
        head,
        data,
        kind=kind,
        state=state,
        seed=seed,
        facts={**(facts or {}), "labels": labels},
        **training,
    )


def train_labels(examples: Examples, kind: str) -> list[str] | None:
    """The labels of the training examples, sorted; None for scores.

    Raises
    ------
    LabelError
        If there is no training example, there are fewer than two labels, or a score is no number.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of labelled task", kind, KINDS)
    found = examples.examples.label[examples.examples.split == "train"]
    if not len(found):
        raise LabelError(
            f"none of the {len(examples.examples)} examples is a training example: "
            "look at how the task's examples are prepared."
        )
    if kind == "score":
        _scores(found.to_list())
        return None
    labels = sorted(found.unique())
    if len(labels) < 2:
        raise LabelError(
            f"all {len(found)} training examples have the label {labels[0]!r}; a classifier needs "
            "at least two labels."
        )
    return labels


def untrained_head(encoder: Encoder, examples: Examples, kind: str, seed: int) -> LabelHead:
    """The head that `tune_labels` begins with, on the encoder's device, in evaluation mode."""
    labels = train_labels(examples, kind)
    head = make_head(
        kind,
        encoder.dim,
        seed,
        n_outputs=1 if labels is None else len(labels),
        n_spans=spans_per_example(examples),
    )
    assert isinstance(head, LabelHead)
    return head.to(encoder.device).eval()


@torch.inference_mode()
def predict(
    encoder: Encoder,
    head: LabelHead,
    examples: Examples,
    split: str = "test",
    tokens_per_batch: int | None = None,
) -> NDArray[np.float32]:
    """Logits of the examples of a split (kind ``score``: the scores).

    Returns
    -------
    float32 ndarray of shape (n_examples_of_split, n_outputs), in the order of the table.
    """
    data = labelled_texts(encoder, examples, split)
    logits = np.empty((len(data.span_ids), head.output.out_features), dtype=np.float32)

    def read(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        batch = data.batch(rows)
        vectors = head.read(last_layer(encoder, batch), batch)
        found: NDArray[np.float32] = head.logits(vectors).cpu().numpy()
        return found

    budget = TokenBudget(tokens_per_batch or encoding_tokens(encoder))
    for rows, found in budget.passes(data.lengths, read):
        logits[data.examples_of(rows)] = found
    return logits


def load_label_head(folder: Path) -> tuple[LabelHead, list[str] | None]:
    """The head of a checkpoint in evaluation mode, and the labels of its outputs (None: a score).

    For a task of whole texts the logits are ``head.logits(last_hidden[:, 0])``.
    """
    meta = read_meta(folder)
    if meta["kind"] not in KINDS:
        raise UnknownNameError("kind of labelled task", meta["kind"], KINDS)
    shape = meta["head_shape"]
    with readable(folder / HEAD) as path:
        tensors = load_file(path)
    dim = tensors["output.weight"].shape[1] // shape["n_spans"]
    head = make_head(meta["kind"], dim, seed=0, **shape)
    head.load_state_dict(tensors)
    assert isinstance(head, LabelHead)
    return head.eval(), meta["labels"]


def _targets(examples: Examples, labels: list[str] | None) -> Targets:
    """Positions of the training examples' labels, or their scores."""
    found = examples.examples.label[examples.examples.split == "train"].to_list()
    if labels is None:
        return _scores(found)
    position = {label: number for number, label in enumerate(labels)}
    return np.array([position[label] for label in found])


def _scores(labels: list[str]) -> NDArray[np.float32]:
    try:
        scores = np.array(labels, dtype=np.float32)
    except ValueError as error:
        raise LabelError(f"a score must be a number: {error}.") from error
    if not np.isfinite(scores).all():
        raise LabelError("a score must be finite: look at how the task's examples are prepared.")
    return scores
