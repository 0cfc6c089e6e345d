"""Least squares by normal equations in float64; no model and no randomness in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Wide = np.ndarray[Any, np.dtype[np.float64]]

RANK_TOLERANCE = 1e-10
#: A row that the fit goes through whatever it says: its residual tells nothing.
LEAST_FREEDOM = 1e-6


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients `[n]`, the intercept, the weighted share of variance that they explain (None: there is none to
    explain), the rank of the normal equations, and the coefficients' standard errors `[n]` (None: too few rows)."""

    coefficients: Wide
    intercept: float
    r2: float | None
    rank: int
    stderr: Wide | None


def ridge_fit(design: Any, values: Wide, weights: Wide, ridge: float, chance: Wide | None = None) -> Fit:
    """Minimise `sum w (y - a - Z b)^2 + ridge |b|^2` for `design [B, n]`; of many solutions the shortest.

    The intercept is not penalised and `ridge` is not divided by the number of rows, as in scikit-learn's Ridge.
    `chance [B]` says how far each row was left to chance, 0 to 1 (see `standard_errors`); all of them wholly.
    """
    rows = np.asarray(design, dtype=np.float64)
    shares = weights / weights.sum()
    middle, mean = shares @ rows, float(shares @ values)
    rows, targets = rows - middle, values - mean
    inverse, rank = invert((rows * weights[:, None]).T @ rows + ridge * np.eye(rows.shape[1]))
    coefficients = inverse @ ((rows * weights[:, None]).T @ targets)
    residuals = targets - rows @ coefficients
    return Fit(
        coefficients,
        mean - float(middle @ coefficients),
        explained(targets, residuals, weights),
        rank,
        standard_errors(rows, residuals, weights, inverse, shares, chance) if len(rows) > rank + 1 else None,
    )


def fit_with_sum(design: Any, values: Wide, weights: Wide, total: float, chance: Wide | None = None) -> Fit:
    """Minimise `sum w (y - Z b)^2` subject to `sum b = total`; of many solutions the most even one.

    `chance [B]` as in `ridge_fit`.
    """
    rows = np.asarray(design, dtype=np.float64)
    count = rows.shape[1]
    even = total / count
    targets = values - rows.sum(axis=1) * even
    # What is left of b sums to 0, so what a row adds to all features alike has no say.
    rows = rows - rows.mean(axis=1, keepdims=True)
    inverse, rank = invert((rows * weights[:, None]).T @ rows)
    rest = inverse @ ((rows * weights[:, None]).T @ targets)
    residuals = targets - rows @ rest
    return Fit(
        even + rest - rest.mean(),
        0.0,
        explained(values - float(weights @ values / weights.sum()), residuals, weights),
        rank,
        standard_errors(rows, residuals, weights, inverse, 0.0, chance) if len(rows) > rank else None,
    )


def standard_errors(
    rows: Wide, residuals: Wide, weights: Wide, inverse: Wide, pull: Wide | float = 0.0, chance: Wide | None = None
) -> Wide:
    """How far coefficients may be off by the draw of the rows, `[n]`: HC2 of MacKinnon & White 1985.

    `rows [B, n]` are those of the normal equations, `pull [B]` is each one's share in an intercept. A row that would
    be there in any draw adds nothing (`chance` 0); one of a finite number of which a part was drawn adds the rest.
    """
    reach = rows @ inverse
    leverage = weights * (reach * rows).sum(axis=1) + pull
    moved = weights * residuals / np.sqrt(np.maximum(1.0 - leverage, LEAST_FREEDOM))
    drawn = moved if chance is None else moved * np.sqrt(chance)
    return np.asarray(np.sqrt(((drawn[:, None] * reach) ** 2).sum(axis=0)), dtype=np.float64)


def invert(matrix: Wide) -> tuple[Wide, int]:
    """The pseudo-inverse of a positive semidefinite matrix, and its rank."""
    sizes, vectors = np.linalg.eigh(matrix)
    real = sizes > RANK_TOLERANCE * max(float(sizes[-1]), np.finfo(np.float64).tiny)
    vectors = vectors[:, real]
    return (vectors / sizes[real]) @ vectors.T, int(real.sum())


def explained(targets: Wide, residuals: Wide, weights: Wide) -> float | None:
    """R^2 by what is left of centred `targets`; None if these do not vary."""
    total = float(weights @ targets**2)
    if total <= 1e-24 * float(weights.sum()):
        return None
    return 1.0 - float(weights @ residuals**2) / total
