"""Attention maps written by hand, one for each pattern but the heterogeneous, at any length."""

import numpy as np
from numpy.typing import NDArray


def identity(length: int) -> NDArray[np.float64]:
    return np.eye(length)


def previous_token(length: int) -> NDArray[np.float64]:
    weights = np.eye(length, k=-1)
    weights[0, 0] = 1.0
    return weights


def last_column(length: int) -> NDArray[np.float64]:
    weights = np.zeros((length, length))
    weights[:, -1] = 1.0
    return weights


def diagonal_and_column(length: int) -> NDArray[np.float64]:
    return (previous_token(length) + last_column(length)) / 2


def within_segment(length: int) -> NDArray[np.float64]:
    first = np.arange(length) < length // 2
    same = (first[:, None] == first).astype(np.float64)
    return same / same.sum(axis=1, keepdims=True)


def uniform(length: int) -> NDArray[np.float64]:
    return np.full((length, length), 1 / length)


HAND_SET = {
    identity: "diagonal",
    previous_token: "diagonal",
    last_column: "vertical",
    diagonal_and_column: "vertical+diagonal",
    within_segment: "block",
    uniform: "block",
}
