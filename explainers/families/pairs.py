"""Coalitions of features with their complements, drawn after the Shapley kernel; no model in it."""

from __future__ import annotations

from itertools import combinations, islice
from math import comb
from typing import Any

import numpy as np

from saliscope.explainers.texts.encoding import BoolArray

Wide = np.ndarray[Any, np.dtype[np.float64]]


def num_pairs(num_features: int) -> int:
    """How many pairs {S, not S} there are, the full and the empty coalition left out."""
    return (1 << (num_features - 1)) - 1


def draw_pairs(num_features: int, count: int, seed: int) -> tuple[BoolArray, Wide]:
    """`count` different coalitions `[count, n]` that stand for themselves and their complement, and their weights.

    Every size gets rows in proportion to its mass under the Shapley kernel, 1 / (k (n - k)), but never more than it
    has coalitions; weights are mass over expected rows, so that all coalitions together have the exact kernel. Rows
    are in random order: any first part of them is a sample of its own.
    """
    rng = np.random.default_rng(seed)
    rows, weights = [], []
    for size, (quota, weight) in enumerate(_allot(num_features, count, float(rng.uniform())), start=1):
        if quota:
            rows.append(_subsets(num_features, size, quota, rng))
            weights.append(np.full(quota, weight))
    if not rows:
        return np.zeros((0, num_features), dtype=np.bool_), np.zeros(0)
    order = rng.permutation(count)
    return np.concatenate(rows)[order], np.concatenate(weights)[order]


def left_to_chance(keep: BoolArray) -> Wide:
    """For drawn pairs `[R, n]`, the share of all pairs of its size that was not drawn, `[R]`: 0 where all are there."""
    count = keep.shape[1]
    sizes = np.minimum(keep.sum(axis=1), count - keep.sum(axis=1))
    drawn = np.bincount(sizes, minlength=count // 2 + 1)
    shares = np.asarray([1.0 - float(drawn[size]) / _num_of_size(count, size) for size in range(count // 2 + 1)])
    left: Wide = shares[sizes]
    return left


def _allot(num_features: int, count: int, start: float) -> list[tuple[int, float]]:
    """Rows and weight of one row for the sizes 1 to n // 2; `start` in [0, 1) rounds shares to whole rows."""
    half = num_features // 2
    masses = [1.0 / (k * (num_features - k)) / (2 if 2 * k == num_features else 1) for k in range(1, half + 1)]
    allotted: list[tuple[int, float]] = []
    # The ratio of coalitions to mass grows with the size, so the sizes that are taken whole come first.
    for size, mass in enumerate(masses, start=1):
        there_are = _num_of_size(num_features, size)
        if count * mass / sum(masses[size - 1 :]) < there_are * (1 - 1e-12):
            break
        allotted.append((there_are, mass / there_are))
        count -= there_are
    rest = masses[len(allotted) :]
    if not rest or not count:
        return allotted
    edges = np.floor(start + count * np.cumsum(rest) / sum(rest)).astype(int)
    edges[-1] = count
    return [*allotted, *((int(rows), sum(rest) / count) for rows in np.diff(edges, prepend=0))]


def _num_of_size(num_features: int, size: int) -> int:
    return comb(num_features, size) // (2 if 2 * size == num_features else 1)


def _subsets(num_features: int, size: int, count: int, rng: np.random.Generator) -> BoolArray:
    """`count` different subsets of one size, `[count, n]`; of half the features only those with the first one."""
    halves = 2 * size == num_features
    there_are = _num_of_size(num_features, size)
    if there_are <= max(4 * count, 256):
        every = np.zeros((there_are, num_features), dtype=np.bool_)
        for row, members in enumerate(islice(combinations(range(num_features), size), there_are)):
            every[row, list(members)] = True
        return every if count == there_are else every[rng.choice(there_are, count, replace=False)]
    found = np.zeros((0, num_features), dtype=np.bool_)
    while len(found) < count:
        picks = np.argpartition(rng.uniform(size=(2 * count, num_features)), size - 1, axis=1)[:, :size]
        drawn = np.zeros((len(picks), num_features), dtype=np.bool_)
        np.put_along_axis(drawn, picks, True, axis=1)
        if halves:
            drawn ^= ~drawn[:, :1]
        both = np.concatenate([found, drawn])
        _, first = np.unique(np.packbits(both, axis=1), axis=0, return_index=True)
        found = both[np.sort(first)]
    return found[:count]
