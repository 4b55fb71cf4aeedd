"""Attention maps drawn at random, of a known pattern: what the pattern network learns from.

A drawn map is a mixture of four parts whose rows are distributions over the L pieces:

stripes     a few columns: the first, the last, the end of the first segment, punctuation
band        pieces at a distance of about -1, 0 or 1
blocks      the pieces of one's own segment
background  softmax of key preferences, row-by-key affinities and noise, even or sharp

The pattern says which parts can be seen. Stripes and band are seen where their largest weights are
`CONTRAST` times an even one, 1/L; blocks where they hold most of the weight. Parts too faint to be
seen are mixed into every pattern. Widths, places, numbers, sharpness and noise vary freely.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tuneprobe.studies.attention.patterns.classes import (
    BLOCK,
    HETEROGENEOUS,
    PATTERNS,
    PatternError,
)

Map = NDArray[np.float64]

SHORTEST, LONGEST = 8, 128
CONTRAST = (6.0, 3.0)  # stripes, band
MOST = 0.6  # of the weight
FAINT = 0.3  # of the share from which a part is seen: the largest share of a part that is not
PURE = 0.15  # share of the maps that hold nothing but what is seen
PAIR = 0.6  # share of the texts with two segments
PEAKED = 0.35  # share of the heterogeneous maps with a line or patches away from the diagonal

SEEN = {  # stripes, band, blocks
    "vertical": (True, False, False),
    "diagonal": (False, True, False),
    "vertical+diagonal": (True, True, False),
    "block": (False, False, True),
    "heterogeneous": (False, False, False),
}


def draw_maps(n: int, rng: np.random.Generator) -> Iterator[tuple[Map, int]]:
    """`n` maps with their patterns (row numbers of `PATTERNS`), patterns in turn.

    Lengths are log-uniform from 8 to 128, so that short texts are as common as long ones.
    """
    for place in range(n):
        pattern = place % len(PATTERNS)
        length = round(np.exp(rng.uniform(np.log(SHORTEST), np.log(LONGEST))))
        yield draw_map(pattern, length, rng), pattern


def draw_map(pattern: int, length: int, rng: np.random.Generator) -> Map:
    """One map of a pattern: shape (length, length), rows that sum to 1."""
    if length < SHORTEST:
        raise PatternError(f"a drawn map needs at least {SHORTEST} pieces; got {length}.")
    end = _segment_end(length, rng, always=pattern == BLOCK and rng.random() < 0.85)
    background = _background(length, rng, even=pattern == BLOCK)
    if pattern == HETEROGENEOUS and rng.random() < PEAKED:
        background = (background + _elsewhere(length, rng)) / 2
    parts = [_stripes(length, end, rng), _band(length, rng), _blocks(length, end, rng), background]
    shares = _row_shares(parts, SEEN[PATTERNS[pattern]], rng)
    mixture: Map = sum(share[:, None] * part for share, part in zip(shares.T, parts, strict=True))
    return mixture


def softmax(logits: Map) -> Map:
    """Rows as distributions, ``exp(z) / Σ exp(z)``."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _segment_end(length: int, rng: np.random.Generator, *, always: bool) -> int:
    """Pieces of the first segment; `length` where there is only one."""
    if not always and rng.random() >= PAIR:
        return length
    return int(np.clip(round(length * rng.uniform(0.25, 0.75)), 3, length - 3))


def _row_shares(parts: list[Map], seen: tuple[bool, ...], rng: np.random.Generator) -> Map:
    """Shares of stripes, band, blocks and background in each row, (length, 4).

    They vary about the map's own, as if each row's logits were shifted.
    """
    length, shown = len(parts[0]), np.array(seen)
    peaks = [part.max(axis=1).mean() for part in parts[:2]]
    least = np.append(np.array(CONTRAST) / (length * np.array(peaks)), MOST).clip(max=MOST)
    least *= min(1.0, 0.95 / max(least @ shown, 0.01))
    faint = rng.uniform(0, FAINT, size=3) * least.clip(max=0.3)
    more = rng.dirichlet(np.ones(shown.sum() + 1))[:-1]
    shares = np.where(shown, least, faint)
    shares[shown] += more * max(0.0, 1 - shares.sum())
    shares = np.append(shares, max(0.0, 1 - shares.sum()))
    if any(seen) and rng.random() < PURE:
        shares = np.append(np.where(shown, shares[:3], 0), 0.0)
    jitter = rng.normal(scale=rng.uniform(0, 0.5), size=(length, len(parts)))
    return softmax(np.log(shares + 1e-6) + jitter)


def _stripes(length: int, end: int, rng: np.random.Generator) -> Map:
    """One to four columns; or each row the last piece of its own segment."""
    logits = np.full((length, length), -np.inf)
    if end < length and rng.random() < 0.15:
        rows = np.arange(length)
        logits[rows, np.where(rows < end, end - 1, length - 1)] = 0.0
        return softmax(logits)
    special = [0, 0, end - 1, length - 1, length - 1, length - 2]
    columns = {int(rng.choice(special))}
    for _ in range(rng.integers(4)):
        columns.add(int(rng.choice([*special, *rng.integers(length, size=3)])))
    chosen = sorted(columns)
    noise = rng.normal(scale=rng.uniform(0, 0.8), size=(length, len(chosen)))
    logits[:, chosen] = rng.normal(scale=0.7, size=len(chosen)) + noise
    return softmax(logits)


def _band(length: int, rng: np.random.Generator) -> Map:
    """A bell around the piece itself, the one before, or the one after, and noise."""
    distance = np.arange(length) - np.arange(length)[:, None]
    offset = rng.choice([-1.0, 0.0, 1.0]) + (rng.uniform(-0.5, 0.5) if rng.random() < 0.3 else 0)
    width = np.exp(rng.uniform(np.log(0.2), np.log(max(1.0, min(4.0, length / 10)))))
    bell = -((distance - offset) ** 2) / (2 * width**2)
    noise = rng.normal(scale=max(0.0, rng.uniform(-0.5, 1)), size=(length, length))
    return softmax(np.maximum(bell, -30.0) + noise)


def _blocks(length: int, end: int, rng: np.random.Generator) -> Map:
    """Evenly the own segment, with preferred keys and noise of at most half a nat.

    A single block is all but uniform; it would be heterogeneous otherwise.
    """
    first = np.arange(length) < end
    same = first[:, None] == first
    unevenness = 0.5 if end < length else 0.1
    keys = rng.normal(scale=rng.uniform(0, unevenness), size=length)
    noise = rng.normal(scale=rng.uniform(0, unevenness), size=(length, length))
    return softmax(np.where(same, keys + noise, -30.0))


def _background(length: int, rng: np.random.Generator, *, even: bool) -> Map:
    """Softmax of key preferences, affinities of rank 1 to 6 and noise, even or sharp."""
    rank = rng.integers(1, 7)
    affinity = rng.normal(size=(length, rank)) @ rng.normal(size=(rank, length)) / np.sqrt(rank)
    keys, noise = rng.normal(size=length), rng.normal(size=(length, length))
    scales = rng.uniform(0, 0.3, size=3) if even else rng.uniform([0, 0, 0.05], [1.1, 1.5, 1.1])
    return softmax(scales[0] * keys + scales[1] * affinity + scales[2] * noise)


def _elsewhere(length: int, rng: np.random.Generator) -> Map:
    """A line parallel to the diagonal far from it, or a few patches, on an even ground."""
    logits = rng.normal(scale=0.3, size=(length, length))
    if rng.random() < 0.5:
        reach = int(rng.integers(max(3, length // 5), length - 2))
        for offset in (-reach, reach):
            logits += 3.0 * np.eye(length, k=offset)
        return softmax(logits)
    for _ in range(rng.integers(2, 7)):
        row, column = rng.integers(length, size=2)
        height, width = rng.integers(1, max(2, length // 4), size=2)
        logits[row : row + height, column : column + width] += rng.uniform(1, 3)
    return softmax(logits)
