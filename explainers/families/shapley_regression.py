"""Shapley values from readings of nested coalitions by least squares, without ever writing a coalition out.

The readings of a pass are the prefixes of one mask, so the normal equations of R passes over n features need one
product of two [R, n] matrices. Lundberg & Lee 2017 (Kernel SHAP); Kariyappa et al., ICML 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from saliscope.explainers.families.coalitions import Wide
from saliscope.explainers.texts.encoding import BoolArray

RIDGE = 1e-9

Constraint = Literal["shift", "efficiency"]


@dataclass(frozen=True, eq=False)
class Readings:
    """What R passes said: `values [R, n, C]` of the coalition that ends at each kept feature, with `weights [R, n]`.

    `empty [C]` and `full [C]` are the values of nothing and of everything.
    """

    keep: BoolArray
    weights: Wide
    values: Wide
    empty: Wide
    full: Wide


@dataclass(frozen=True, eq=False)
class Fit:
    """Scores `[n, C]` that sum to full - empty; for output `index` the standard errors `[n]` over the passes and R².

    `stderr` is None where the passes are too few to tell. R² is about the mean ("shift") or the empty text
    ("efficiency"). `unseen` are features of no weighted reading.
    """

    scores: Wide
    stderr: Wide | None
    r2: float
    unseen: tuple[int, ...]


def regress(readings: Readings, constraint: Constraint, index: int = 0) -> Fit:
    """Fit an additive function to the readings.

    "shift": free intercept, the two ends as ordinary readings, then the rest shared equally among the features.
    "efficiency": the ends hold exactly, as in Kernel SHAP. A ridge of 1e-9 decides what the readings leave open.
    """
    keep, weights = readings.keep, readings.weights
    n = keep.shape[1]
    values = np.where(keep[:, :, None], readings.values - readings.empty, 0.0)
    change = readings.full - readings.empty
    later = _from_here_on(weights)
    upper = np.triu(keep.T.astype(np.float64) @ (keep * later))
    gram = upper + np.triu(upper, 1).T
    moment = np.einsum("ra,rac->ac", keep, _from_here_on(weights[:, :, None] * values), optimize=True)
    if constraint == "shift":
        total = weights.sum() + 2.0
        mean = ((keep * later).sum(axis=0) + 1.0) / total
        level = (np.einsum("ra,rac->c", weights, values, optimize=True) + change) / total
        gram = gram + 1.0 - total * np.outer(mean, mean)
        moment = moment + change - total * np.outer(mean, level)
    else:
        mean, level = np.zeros(n), np.zeros_like(change)
    inverse = np.linalg.inv(gram + _ridge(gram) * np.eye(n))
    inverse = (inverse + inverse.T) / 2
    free = inverse @ moment
    share = np.full(n, 1.0 / n) if constraint == "shift" else inverse.sum(axis=1) / inverse.sum()
    scores = free + np.outer(share, change - free.sum(axis=0))
    # Without the shift: it moves the scores to their sum, not the line that was fitted.
    line = free[:, index] if constraint == "shift" else scores[:, index]
    fitted = (keep * line).cumsum(axis=1) + (level[index] - mean @ line)
    residuals = np.where(keep, values[:, :, index] - fitted, 0.0)
    spread = inverse - np.outer(share, inverse.sum(axis=0))
    r2 = _r2(weights, values[:, :, index] - level[index], residuals)
    seen = (keep & (later > 0)).any(axis=0)
    stderr = _stderr(readings, residuals, mean, spread)
    return Fit(scores, stderr, r2, tuple(int(i) for i in np.flatnonzero(~seen)))


def _stderr(given: Readings, residuals: Wide, mean: Wide, spread: Wide) -> Wide | None:
    """Standard errors over passes as clusters (Liang & Zeger 1986), as the readings of one pass hang together."""
    keep, weights = given.keep, given.weights
    passes, read = int((weights > 0).any(axis=1).sum()), int((weights > 0).sum())
    spare = read - keep.shape[1] - 1
    if passes <= 2 or spare <= 0:
        return None
    pull = weights * residuals
    slopes = keep * _from_here_on(pull) - np.outer(pull.sum(axis=1), mean)
    moved = slopes @ spread.T
    few = passes / (passes - 1) * (read - 1) / spare
    return np.asarray(np.sqrt((moved**2).sum(axis=0) * few), dtype=np.float64)


def _r2(weights: Wide, centred: Wide, residuals: Wide) -> float:
    spread = float((weights * centred**2).sum())
    return 1.0 - float((weights * residuals**2).sum()) / spread if spread > 0 else 1.0


def _from_here_on(rows: Wide) -> Wide:
    """Sums from each feature to the last one, along axis 1."""
    return np.asarray(rows[:, ::-1].cumsum(axis=1)[:, ::-1], dtype=np.float64)


def _ridge(gram: Wide) -> float:
    trace = float(np.trace(gram))
    return RIDGE * trace / len(gram) if trace > 0 else RIDGE
