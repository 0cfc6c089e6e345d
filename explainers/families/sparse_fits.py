"""Sparse linear fits: few features, or few changes along the text.

They see the draws only through `gram [n, n]` = Z'Z/M and `correlations [n]` = Z'y/M. `lam` is a share of the largest
correlation: 0 keeps everything, 1 nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import linprog, nnls

from saliscope.explainers.errors import ExplainerError
from saliscope.explainers.families.fits import Wide, least_squares
from saliscope.explainers.texts.encoding import FloatArray

Penalty = Literal["soft", "dantzig", "lasso", "tv"]

NEGLIGIBLE = 1e-7
MOST_BISECTIONS = 40
FINE = 1e-3
#: Eigenvalues of the Gram matrix below this share of the largest are 0.
RANK = 1e-12


@dataclass(frozen=True, eq=False)
class SparseFit:
    """Scores `[n]`, the `lam` they belong to, the correlations `[n]`, the share of the changes they explain, and how
    many features (with "tv": runs of equal scores) are left.
    """

    scores: Wide
    lam: float
    correlations: Wide
    r2: float | None
    remaining: int


def soft(variance: float, correlations: Wide, lam: float) -> Wide:
    """The Dantzig selector for draws of covariance `variance` times the identity: shrink and cut each score."""
    size = np.abs(correlations)
    left = np.maximum(size - lam * size.max(initial=0.0), 0.0) / variance
    return np.where(left > 0, np.sign(correlations) * left, 0.0)


def dantzig(gram: Wide, correlations: Wide, lam: float) -> Wide:
    """The g of least |g|_1 with `|correlations - gram g|_inf <= lam |correlations|_inf` (Candes & Tao 2007)."""
    gram, correlations, unit = _scaled(gram, correlations)
    n = len(correlations)
    sides, bounds = _within(gram, correlations, lam * np.abs(correlations).max())
    halves = _solve(np.ones(2 * n), np.hstack([sides, -sides]), bounds, (0, None))
    return _clean(halves[:n] - halves[n:]) * unit


def lasso(gram: Wide, correlations: Wide, lam: float) -> Wide:
    """The g that minimises `g'gram g/2 - correlations'g + lam |correlations|_inf |g|_1`.

    Its residual is the shortest way into `|Z'residual|_inf <= threshold`, which is a problem of non-negative least
    squares (Lawson & Hanson 1974, chapter 23); the multipliers of the bounds are the positive and negative parts of g.
    """
    gram, correlations, unit = _scaled(gram, correlations)
    if lam == 0:
        return np.asarray(np.linalg.lstsq(gram, correlations, rcond=None)[0]) * unit
    threshold = lam * np.abs(correlations).max()
    sizes, directions = np.linalg.eigh(gram)
    seen = sizes > RANK * sizes.max()
    root = np.sqrt(sizes[seen])[:, None] * directions[:, seen].T
    over = np.concatenate([correlations - threshold, -correlations - threshold])
    system = np.vstack([np.hstack([-root, root]), over])
    try:
        halves = nnls(system, np.eye(len(system))[-1])[0]
    except RuntimeError as error:
        raise ExplainerError(f"the fit ended with: {error}; try penalty=soft or a larger lam") from error
    halves = halves / (1.0 - over @ halves)
    return np.asarray(halves[: len(gram)] - halves[len(gram) :]) * unit


def total_variation(gram: Wide, correlations: Wide, lam: float) -> Wide:
    """Scores that are constant over runs of adjacent features: least `|Dg|_1`, D the first differences.

    D does not see the common level of the scores, so that is left with no residual: `sum(correlations - gram g) = 0`.
    Subject to that and to `|D+'(correlations - gram g)|_inf <= lam` times its value for the best constant g.
    """
    gram, correlations, unit = _scaled(gram, correlations)
    n = len(correlations)
    integrate = _integrate(n)
    flat = integrate @ (correlations - gram.sum(axis=1) * correlations.sum() / gram.sum())
    sides, bounds = _within(integrate @ gram, integrate @ correlations, lam * np.abs(flat).max(initial=0.0))
    steps, jumps = np.diff(np.eye(n), axis=0), np.eye(n - 1)
    above = np.vstack([np.hstack([steps, -jumps]), np.hstack([-steps, -jumps])])
    rows = np.vstack([above, np.hstack([sides, np.zeros((len(sides), n - 1))])])
    limits = np.concatenate([np.zeros(2 * (n - 1)), bounds])
    cost = np.concatenate([np.zeros(n), np.ones(n - 1)])
    level = np.concatenate([gram.sum(axis=0), np.zeros(n - 1)])
    g = _solve(cost, rows, limits, [(None, None)] * n + [(0, None)] * (n - 1), level, float(correlations.sum()))[:n]
    return runs(g) @ _means(g) * unit


def runs(scores: Wide) -> Wide:
    """Which run of equal scores each feature is in, `[n, runs]` of zeros and ones."""
    jumps = np.abs(np.diff(scores)) > NEGLIGIBLE * max(float(np.abs(scores).max(initial=0.0)), 1e-300)
    number = np.concatenate([[0], np.cumsum(jumps)])
    return np.asarray(number[:, None] == np.arange(number[-1] + 1), dtype=np.float64)


def fit_sparse(
    moves: FloatArray,
    y: Wide,
    penalty: Penalty,
    variance: float,
    lam: float,
    k: int | None = None,
    debias: bool = False,
) -> SparseFit:
    """A sparse fit of changes `y [M]` by `moves [M, n]` of variance `variance`.

    With `k` the smallest lam is taken, by bisection, that leaves at most k features (with "tv": k runs). With `debias`
    what is left is fitted again by least squares.
    """
    z = moves.astype(np.float64)
    gram, correlations = z.T @ z / len(y), z.T @ y / len(y)

    def solve(share: float) -> Wide:
        if not correlations.any():
            return np.zeros(len(correlations))
        if penalty == "soft":
            return soft(variance, correlations, share)
        program = {"dantzig": dantzig, "lasso": lasso, "tv": total_variation}[penalty]
        return program(gram, correlations, share)

    def count(scores: Wide) -> int:
        return runs(scores).shape[1] if penalty == "tv" else int(np.count_nonzero(scores))

    scores = solve(lam)
    if k is not None:
        lam, scores = _bisect(solve, count, k)
    remaining = count(scores)
    if debias:
        design = runs(scores) if penalty == "tv" else np.eye(len(scores))[:, scores != 0]
        scores = design @ least_squares(z @ design, y).scores if design.any() else scores
    residual, total = float(np.square(y - z @ scores).sum()), float(np.square(y).sum())
    return SparseFit(scores, lam, correlations, 1.0 - residual / total if total > 0 else None, remaining)


def _bisect(solve: Callable[[float], Wide], count: Callable[[Wide], int], k: int) -> tuple[float, Wide]:
    low, high, best = 0.0, 1.0, solve(0.0)
    if count(best) <= k:
        return 0.0, best
    best = solve(1.0)
    for _ in range(MOST_BISECTIONS):
        if high - low <= FINE and count(best) == k:
            break
        middle = (low + high) / 2
        trial = solve(middle)
        if count(trial) <= k:
            high, best = middle, trial
        else:
            low = middle
    return high, best


def _scaled(gram: Wide, correlations: Wide) -> tuple[Wide, Wide, float]:
    """The same problem in units near 1, and the unit of its scores: the solvers' tolerances are absolute."""
    size, variance = float(np.abs(correlations).max()), float(np.trace(gram)) / len(gram)
    return gram / variance, correlations / size, size / variance


def _within(matrix: Wide, centre: Wide, radius: float) -> tuple[Wide, Wide]:
    """`|matrix g - centre| <= radius` as `A g <= b`."""
    return np.vstack([matrix, -matrix]), np.concatenate([centre + radius, radius - centre])


def _integrate(n: int) -> Wide:
    """The transposed pseudo-inverse of the first differences, `[n - 1, n]`."""
    after = np.arange(n)[None, :] > np.arange(n - 1)[:, None]
    return np.asarray(after - after.mean(axis=1, keepdims=True), dtype=np.float64)


def _means(scores: Wide) -> Wide:
    members = runs(scores)
    means: Wide = scores @ members / members.sum(axis=0)
    return means


def _clean(scores: Wide) -> Wide:
    return np.where(np.abs(scores) > NEGLIGIBLE * np.abs(scores).max(initial=0.0), scores, 0.0)


def _solve(
    cost: Wide, rows: Wide, limits: Wide, bounds: Any, equal: Wide | None = None, to: float | None = None
) -> Wide:
    equality = (None, None) if equal is None else (equal[None, :], [to])
    found = linprog(cost, rows, limits, *equality, bounds=bounds, method="highs")
    if found.x is None:
        raise ExplainerError(f"the linear programme ended with: {found.message}; try penalty=soft or a larger lam")
    return np.asarray(found.x, dtype=np.float64)
