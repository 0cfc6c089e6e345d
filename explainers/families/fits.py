"""Linear fits around a text: how a target's changes follow from the moves of its features.

Pure functions of arrays in float64, for use here or in a `Solve`. Moves are `z [M, n]`, changes `y [M]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from saliscope.explainers.texts.encoding import FloatArray

Wide = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Estimator = Literal["ls", "closed", "weighted"]

# Keeps the Cholesky factor of a nearly singular Z'Z real; far below what a score shows.
RIDGE = 1e-10


@dataclass(frozen=True, eq=False)
class Fit:
    """Scores `[n]`, their standard errors `[n]` where the draws allow them, and the sums of squares of the fit.

    `draws` is what the weights leave of the draws (Kish 1965); without weights it is their number.
    """

    scores: Wide
    stderr: Wide | None
    residual: float
    total: float
    draws: float

    @property
    def r2(self) -> float | None:
        """The share of the target's changes that the scores explain; None if it never changed."""
        return 1.0 - self.residual / self.total if self.total > 0 else None


def least_squares(z: Wide, y: Wide, weights: Wide | None = None, intercept: bool = False) -> Fit:
    """The scores g that minimise `sum of w (y - z g - c)^2`, c = 0 without an `intercept`.

    With fewer rows than unknowns it is the shortest such g, without standard errors.
    """
    w = np.ones(len(y)) if weights is None else weights / weights.mean()
    effective = float(w.sum() ** 2 / (w @ w))
    leverage = np.zeros(len(y))
    if intercept:
        z, y = z - w @ z / w.sum(), y - w @ y / w.sum()
        leverage += w / w.sum()
    rows, changes = np.sqrt(w)[:, None] * z, np.sqrt(w) * y
    freedom = len(y) - z.shape[1] - int(intercept)
    if freedom < 0:
        scores = np.linalg.lstsq(rows, changes, rcond=None)[0]
        return Fit(scores, None, *_squares(rows, changes, scores), effective)
    gram = rows.T @ rows
    ridge = max(RIDGE * np.trace(gram) / len(gram), np.finfo(np.float64).tiny)
    factor = cho_factor(gram + ridge * np.eye(len(gram)))
    scores = cho_solve(factor, rows.T @ changes)
    squares = _squares(rows, changes, scores)
    if freedom == 0:
        return Fit(scores, None, *squares, effective)
    # What a line leaves over is curvature, and grows with the move: errors of a regression with even noise would be
    # too small. These are the jackknife's (MacKinnon & White 1985, HC3).
    pull = cho_solve(factor, rows.T).T
    leverage += np.einsum("mi,mi->m", pull, rows)
    left = (changes - rows @ scores) / np.maximum(1.0 - leverage, np.finfo(np.float64).eps)
    return Fit(scores, np.sqrt(np.square(pull * left[:, None]).sum(axis=0)), *squares, effective)


def closed_form(z: Wide, y: Wide, variance: float) -> Fit:
    """The mean of `z y / variance`: unbiased for draws of covariance `variance` times the identity."""
    products = z * y[:, None] / variance
    scores = products.mean(axis=0)
    stderr = products.std(axis=0, ddof=1) / np.sqrt(len(y)) if len(y) > 1 else None
    return Fit(scores, stderr, *_squares(z, y, scores), len(y))


def nearness(z: Wide, bandwidth: float) -> Wide:
    """Weights `exp(-|z|^2 / 2 h^2)` of draws, the nearest one's being 1."""
    squares = np.square(z).sum(axis=1)
    near: Wide = np.exp((squares.min() - squares) / (2 * bandwidth**2))
    return near


def fit_path(
    z: FloatArray,
    y: Wide,
    estimator: Estimator,
    variance: float,
    bandwidth: float | None = None,
    intercept: bool = False,
) -> Fit:
    """The mean of the fits at several points of a path, `z [S, M, n]` and `y [S, M]`.

    `variance` is that of a move, `bandwidth` (default: the typical length of a draw) is for "weighted" alone.
    """
    width = bandwidth or float(np.sqrt(variance * z.shape[2]))
    fits = []
    for moves, changes in zip(z.astype(np.float64), y, strict=True):
        if estimator == "closed":
            fits.append(closed_form(moves, changes, variance))
        else:
            weights = nearness(moves, width) if estimator == "weighted" else None
            fits.append(least_squares(moves, changes, weights, intercept))
    errors: list[Any] = [fit.stderr for fit in fits]
    return Fit(
        np.mean([fit.scores for fit in fits], axis=0),
        None if any(error is None for error in errors) else np.sqrt(np.square(errors).sum(axis=0)) / len(fits),
        sum(fit.residual for fit in fits),
        sum(fit.total for fit in fits),
        min(fit.draws for fit in fits),
    )


def _squares(z: Wide, y: Wide, scores: Wide) -> tuple[float, float]:
    return float(np.square(y - z @ scores).sum()), float(np.square(y).sum())
