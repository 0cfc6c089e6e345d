"""Least squares by normal equations in float64; no model and no randomness in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Wide = np.ndarray[Any, np.dtype[np.float64]]

RANK_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients `[n]`, the intercept, the weighted share of variance that they explain (None: there is none to
    explain), and the rank of the normal equations."""

    coefficients: Wide
    intercept: float
    r2: float | None
    rank: int


def ridge_fit(design: Any, values: Wide, weights: Wide, ridge: float) -> Fit:
    """Minimise `sum w (y - a - Z b)^2 + ridge |b|^2` for `design [B, n]`; of many solutions the shortest.

    The intercept is not penalised and `ridge` is not divided by the number of rows, as in scikit-learn's Ridge.
    """
    rows = np.asarray(design, dtype=np.float64)
    shares = weights / weights.sum()
    middle, mean = shares @ rows, float(shares @ values)
    rows, targets = rows - middle, values - mean
    weighted = rows * weights[:, None]
    gram = weighted.T @ rows + ridge * np.eye(rows.shape[1])
    coefficients, rank = solve_symmetric(gram, weighted.T @ targets)
    r2 = explained(targets, rows @ coefficients, weights)
    return Fit(coefficients, mean - float(middle @ coefficients), r2, rank)


def fit_with_sum(design: Any, values: Wide, weights: Wide, total: float) -> Fit:
    """Minimise `sum w (y - Z b)^2` subject to `sum b = total`; of many solutions the most even one."""
    rows = np.asarray(design, dtype=np.float64)
    count = rows.shape[1]
    even = total / count
    targets = values - rows.sum(axis=1) * even
    # What is left of b sums to 0, so what a row adds to all features alike has no say.
    rows = rows - rows.mean(axis=1, keepdims=True)
    weighted = rows * weights[:, None]
    rest, rank = solve_symmetric(weighted.T @ rows, weighted.T @ targets)
    middle = float(weights @ values / weights.sum())
    r2 = explained(values - middle, values - middle - (targets - rows @ rest), weights)
    return Fit(even + rest - rest.mean(), 0.0, r2, rank)


def solve_symmetric(matrix: Wide, right: Wide) -> tuple[Wide, int]:
    """The shortest least-squares solution of a positive semidefinite system, and its rank."""
    sizes, vectors = np.linalg.eigh(matrix)
    real = sizes > RANK_TOLERANCE * max(float(sizes[-1]), np.finfo(np.float64).tiny)
    vectors = vectors[:, real]
    return vectors @ ((vectors.T @ right) / sizes[real]), int(real.sum())


def explained(targets: Wide, fitted: Wide, weights: Wide) -> float | None:
    """R^2 of `fitted` against centred `targets`; None if these do not vary."""
    total = float(weights @ targets**2)
    if total <= 1e-24 * float(weights.sum()):
        return None
    return 1.0 - float(weights @ (targets - fitted) ** 2) / total
