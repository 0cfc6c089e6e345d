"""`activation` and `inverse-activation`: how the target's probability grows as features are added.

Kariyappa et al., "Progressive Inference", ICML 2024.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from saliscope.explainers.metrics.games import area
from saliscope.explainers.metrics.ordering import By, Hide, Mass, chosen_hiding, first, needs_of_hide, orders_of, shares
from saliscope.explainers.metrics.registry import Measured, Measuring, Metric
from saliscope.explainers.metrics.subject import Scores, Subject


class ActivationParams(msgspec.Struct):
    """How features are added; the defaults are the paper's, but for long texts and the mass."""

    points: Annotated[
        int, msgspec.Meta(ge=2, le=100_000, description="most points of a curve, equally spaced beyond that")
    ] = 65
    hide: Hide = "replace"
    by: By = "signed"
    mass: Mass = "tokens"


def _study(subject: Subject, scores: Scores, params: ActivationParams, ascending: bool) -> Measuring:
    orders = orders_of(subject, scores, params.by)
    orders = orders[:, ::-1] if ascending else orders
    count = len(subject.features)
    shown = np.unique(np.linspace(0, count, min(count + 1, params.points)).round().astype(np.int64))
    counts = np.broadcast_to(shown, (len(orders), len(shown)))
    rows = yield from subject.look(first(orders, counts), chosen_hiding(subject, params.hide))
    heights = subject.probability(rows).reshape(counts.shape)
    at = shares(orders, subject.sizes, counts, params.mass)
    # Curves of texts of different lengths are shown on one grid.
    grid = np.linspace(0.0, 1.0, 21)
    curve = np.mean([np.interp(grid, x, y) for x, y in zip(at, heights, strict=True)], axis=0)
    retained = float(area(shares(orders, subject.sizes, counts, "tokens"), at).mean())
    return Measured(float(area(heights, at).mean()), {"retained": retained}, tuple(curve.tolist()))


def _activation(subject: Subject, scores: Scores, params: ActivationParams) -> Measuring:
    return _study(subject, scores, params, ascending=False)


def _inverse(subject: Subject, scores: Scores, params: ActivationParams) -> Measuring:
    return _study(subject, scores, params, ascending=True)


_SOURCE = "Kariyappa et al., ICML 2024; the empty text is a point of the curve: ours"

ACTIVATION = Metric(
    name="activation",
    summary="Area under the target's probability against the share that is shown, the most important first.",
    direction="up",
    params=ActivationParams,
    run=_activation,
    source=_SOURCE,
    needs=frozenset({"mask", "probabilities"}),
    requires=needs_of_hide,
)

INVERSE_ACTIVATION = Metric(
    name="inverse-activation",
    summary="Area under the target's probability against the share that is shown, the least important first.",
    direction="down",
    params=ActivationParams,
    run=_inverse,
    source=_SOURCE,
    needs=frozenset({"mask", "probabilities"}),
    requires=needs_of_hide,
)
