"""Several heads at once: the task without the heads that matter least (Michel et al. 2019).

A sweep takes one head at a time, so that what it finds without effect may do another's work. Here
heads are cut out together, in the order of their importance.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuneprobe.encoders.forward import TokenBudget
from tuneprobe.studies.attention.ablation.importance import masked_reader
from tuneprobe.studies.attention.ablation.sweep import (
    Outputs,
    chunk_tokens,
    equal_length_batches,
    read_outputs,
)
from tuneprobe.tuning.heads import LabelHead
from tuneprobe.tuning.labelled_texts import LabelledTexts

PARTS = 10  # heads are cut out a tenth of them at a time


def pruned_counts(n_heads: int) -> list[int]:
    """How many heads are cut out: none, and a tenth more each time until none is left.

    >>> pruned_counts(72)
    [0, 7, 14, 22, 29, 36, 43, 50, 58, 65, 72]
    """
    return sorted({round(n_heads * part / PARTS) for part in range(PARTS + 1)})


@torch.inference_mode()
def pruned_outputs(
    head: LabelHead,
    data: LabelledTexts,
    order: NDArray[np.int64],
    counts: Sequence[int],
    *,
    tokens_per_chunk: int | None = None,
) -> Outputs:
    """The outputs of the task without the first heads of an order: their contexts are zero.

    Parameters
    ----------
    order : int array of shape (n_layers * n_heads,)
        Numbers of the heads, layer by layer.
    counts : sequence of int
        How many of them are cut out.

    Returns
    -------
    ndarray of shape (len(counts), n_examples, n_outputs)
    """
    config, last_layer = data.encoder.model.config, masked_reader(data)
    kept = torch.ones(len(counts), len(order), device=data.encoder.device)
    for row, count in enumerate(counts):
        kept[row, torch.from_numpy(order[:count].copy()).to(kept.device)] = 0.0
    masks = kept.unflatten(1, (-1, int(config.num_attention_heads)))
    outputs = np.empty((len(counts), len(data.span_ids), head.output.out_features), np.float32)

    def read(texts: NDArray[np.int64]) -> Tensor:
        batch = data.batch(texts)
        states = [last_layer(batch, mask.expand(len(texts), -1, -1)) for mask in masks]
        return read_outputs(head, torch.stack(states), batch)

    budget = TokenBudget(tokens_per_chunk or chunk_tokens(data.encoder), equal_length_batches)
    for texts, found in budget.passes(data.lengths, read):
        outputs[:, data.examples_of(texts)] = found.cpu().numpy()
    return outputs
