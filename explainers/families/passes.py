"""Passes of multi-pass progressive inference: which features each keeps, and the coalitions it is read at.

A pass keeps a coalition and every feature after its last one; read at the end of each feature that it keeps, it gives
the prediction on each of its prefixes. Kariyappa et al., ICML 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from saliscope.explainers.families.coalitions import (
    Wide,
    class_law,
    log_inclusion,
    log_kernel,
    visited_law,
)
from saliscope.explainers.texts.encoding import BoolArray, IntArray

DRAWS_PER_PASS = 8
"""After so many draws for each pass wanted, what is still missing is too unlikely to wait for."""

Weights = Literal["uniform", "exact", "class"]


@dataclass(frozen=True, eq=False)
class Passes:
    """Distinct passes `keep [R, n]`, the whole text first, in the order of their first draw.

    `drawn [D]` is the row of each draw; the whole text is there whether it was drawn or not. `law [n, n]` is the law
    of the coalitions that the passes start from.
    """

    keep: BoolArray
    drawn: IntArray
    law: Wide

    def first(self, rows: int) -> Passes:
        """What was known after this many distinct passes."""
        newer = np.flatnonzero(self.drawn >= rows)
        upto = newer[0] if len(newer) else len(self.drawn)
        return Passes(self.keep[:rows], self.drawn[:upto], self.law)

    @property
    def times(self) -> IntArray:
        """How often each pass was drawn, `[R]`."""
        return np.bincount(self.drawn, minlength=len(self.keep)).astype(np.int64)


def draw_passes(law: Wide, most: int, rng: np.random.Generator, antithetic: bool = False) -> Passes:
    """At most `most` distinct passes, the whole text among them, from coalitions drawn by `law [n, n]`.

    With `antithetic` every second draw starts from the complement of the one before.
    """
    n = len(law)
    whole = np.ones(n, dtype=np.bool_)
    number = {whole.tobytes(): 0}
    rows = [whole]
    drawn: list[int] = []
    for _ in range(DRAWS_PER_PASS):
        for mask in _draw(law, most, rng, antithetic):
            key = mask.tobytes()
            if key not in number:
                if len(rows) == most:
                    return Passes(np.stack(rows), np.asarray(drawn, dtype=np.int64), law)
                number[key] = len(rows)
                rows.append(mask)
            drawn.append(number[key])
    return Passes(np.stack(rows), np.asarray(drawn, dtype=np.int64), law)


def every_pass(num_features: int, rng: np.random.Generator) -> Passes:
    """All 2^(n - 1) passes once, the whole text first and the others in random order: every coalition is read."""
    n = num_features
    bits = np.concatenate([[0], 1 + rng.permutation(2 ** (n - 1) - 1)])
    keep = np.ones((len(bits), n), dtype=np.bool_)
    keep[:, :-1] = (bits[:, None] >> np.arange(n - 1)) & 1 == 0
    return Passes(keep, np.arange(len(bits)), class_law(n))


def visit_counts(keep: BoolArray) -> IntArray:
    """How many of the distinct rows `keep [R, n]` read the coalition that ends at each feature, `[R, n]`; 0 if none."""
    ids = _prefix_ids(keep)
    flat = ids + np.arange(keep.shape[1]) * (len(keep) + 1)
    counts = np.bincount(flat[keep], minlength=(len(keep) + 1) * keep.shape[1])
    return np.where(keep, counts[flat], 0).astype(np.int64)


def kernel_weights(keep: BoolArray) -> Wide:
    """Shapley's kernel over the distinct coalitions that `keep [R, n]` reads, `[R, n]`: exact where it reads all."""
    inner, size = _inner(keep)
    share = np.exp(log_kernel(keep.shape[1]))[size] / np.maximum(visit_counts(keep), 1)
    return _scaled(np.where(inner, share, 0.0))


def weigh(passes: Passes, scheme: Weights, printed: bool = False) -> Wide:
    """The weight of every reading, `[R, n]`; 0 where a pass keeps nothing and at the whole text, which is a constraint.

    "uniform" counts each coalition once; "exact" gives it its share in Shapley's kernel over its expected visits, so
    that repeated readings count; "class" divides the laws of its class, P* / P^D, which is what the paper does.
    """
    keep = passes.keep
    n = keep.shape[1]
    inner, size = _inner(keep)
    if scheme == "uniform":
        return np.where(inner, 1.0 / np.maximum(visit_counts(keep), 1), 0.0)
    last = np.arange(n)[None, :]
    if scheme == "class":
        visited = visited_law(passes.law, printed)
        ratio = np.divide(class_law(n), visited, out=np.zeros((n, n)), where=visited > 0)
        return _scaled(np.where(inner, ratio[size, last], 0.0) * passes.times[:, None])
    log_visits = log_inclusion(keep, passes.law) + np.log(max(len(passes.drawn), 1))
    # The whole text is read once more than it was drawn.
    extra = np.where(size == last, 0.0, -np.inf)
    with np.errstate(invalid="ignore"):
        log_weights = log_kernel(n)[size] - np.logaddexp(log_visits, extra)
    log_weights = np.where(inner, log_weights, -np.inf)
    times = passes.times + (np.arange(len(keep)) == 0)
    top = log_weights.max() if inner.any() else 0.0
    return _scaled(np.exp(log_weights - top) * times[:, None])


def _inner(keep: BoolArray) -> tuple[BoolArray, IntArray]:
    """Where a coalition short of the whole text is read, and its size less one, `[R, n]`."""
    sizes = keep.cumsum(axis=1)
    inner: BoolArray = keep & (sizes < keep.shape[1])
    return inner, np.maximum(sizes - 1, 0)


def _scaled(weights: Wide) -> Wide:
    """Weights with mean one where they are not zero."""
    used = weights > 0
    return weights / weights[used].mean() if used.any() else weights


def _draw(law: Wide, count: int, rng: np.random.Generator, antithetic: bool) -> BoolArray:
    n = len(law)
    flat = (law / law.sum()).ravel()
    picks = rng.choice(n * n, count, p=flat)
    sizes, lasts = picks // n, picks % n
    order = rng.random((count, n))
    places = np.arange(n)[None, :]
    order[places >= lasts[:, None]] = 2.0
    ranks = order.argsort(axis=1).argsort(axis=1)
    keep = (ranks < sizes[:, None]) | (places == lasts[:, None])
    if antithetic:
        keep[1::2] = ~keep[: 2 * (count // 2) : 2]
        lasts = n - 1 - keep[:, ::-1].argmax(axis=1)
    whole: BoolArray = keep | (places > lasts[:, None])
    return whole


def _prefix_ids(keep: BoolArray) -> npt.NDArray[np.int64]:
    """Equal within a column where two rows agree up to that feature, `[R, n]`."""
    order = np.lexsort(keep.T[::-1])
    ordered = keep[order]
    split = np.zeros(keep.shape, dtype=np.int64)
    if len(keep) > 1:
        parts = (ordered[1:] != ordered[:-1]).argmax(axis=1)
        split[1:] = np.arange(keep.shape[1])[None, :] >= parts[:, None]
    ids = np.empty_like(split)
    ids[order] = split.cumsum(axis=0)
    return ids
