"""`hiding` and `revealing`: how the accuracy falls or rises as the most important features go or come.

Hou & Castanon, "Decoding Layer Saliency in Language Transformers", ICML 2023 (arXiv 2308.05219).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.metrics.ordering import (
    By,
    Hide,
    Mass,
    chosen_hiding,
    counts_at,
    first,
    needs_of_hide,
    orders_of,
    shares,
)
from saliscope.explainers.metrics.registry import Measured, Measuring, Metric
from saliscope.explainers.metrics.subject import Scores, Subject, Wide


class GameParams(msgspec.Struct):
    """How a game is played; the defaults are the paper's."""

    steps: Annotated[int, msgspec.Meta(ge=1, le=1000, description="fractions 0, 1/steps, …, 1 of the text")] = 20
    order: Annotated[Literal["most", "least"], msgspec.Meta(description="which features go or come first")] = "most"
    hide: Hide = "auto"
    by: By = "signed"
    mass: Mass = "tokens"


def area(heights: Wide, at: Wide) -> Wide:
    """The area under curves `[R, G]` by trapezoids over `at [R, G]` or `[G]`, `[R]`."""
    width = np.diff(np.broadcast_to(at, heights.shape), axis=1)
    return np.asarray(((heights[:, 1:] + heights[:, :-1]) / 2 * width).sum(axis=1))


def _play(subject: Subject, scores: Scores, params: GameParams, hides: bool) -> Measuring:
    grid = np.linspace(0.0, 1.0, params.steps + 1)
    orders = orders_of(subject, scores, params.by)
    orders = orders if params.order == "most" else orders[:, ::-1]
    counts = counts_at(orders, subject.sizes, grid, params.mass)
    picked = first(orders, counts)
    rows = yield from subject.look(~picked if hides else picked, chosen_hiding(subject, params.hide))
    curve = subject.correct(rows).reshape(counts.shape).mean(axis=0)
    gone = float(shares(orders, subject.sizes, counts, "tokens").mean())
    retained = 1.0 - gone if hides else gone
    return Measured(float(area(curve[None], grid)[0]), {"retained": retained}, tuple(curve.tolist()))


def _hiding(subject: Subject, scores: Scores, params: GameParams) -> Measuring:
    return _play(subject, scores, params, hides=True)


def _revealing(subject: Subject, scores: Scores, params: GameParams) -> Measuring:
    return _play(subject, scores, params, hides=False)


_SOURCE = "Hou & Castanon, ICML 2023; ties, mass and decoders: ours"
_CAVEATS = ("Equal scores are ordered by the method's signed ones where it has them, then at random by the seed.",)

HIDING = Metric(
    name="hiding",
    summary="Area under accuracy against the share of the text that is hidden, the most important first.",
    direction="down",
    params=GameParams,
    run=_hiding,
    source=_SOURCE,
    needs=frozenset({"class", "mask"}),
    requires=needs_of_hide,
    labels=True,
    caveats=_CAVEATS,
)

REVEALING = Metric(
    name="revealing",
    summary="Area under accuracy against the share of the text that is shown, the most important first.",
    direction="up",
    params=GameParams,
    run=_revealing,
    source=_SOURCE,
    needs=frozenset({"class", "mask"}),
    requires=needs_of_hide,
    labels=True,
    caveats=_CAVEATS,
)
