"""`comprehensiveness`, `sufficiency` and `delta-accuracy`: what a few fractions of the text do.

DeYoung et al., "ERASER", ACL 2020; Yang, Luo, Zhu & Jin, "MASE", 2025, whose protocol is not public: ours here.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from saliscope.explainers.metrics.ordering import (
    By,
    Hide,
    Mass,
    Orders,
    chosen_hiding,
    counts_at,
    first,
    needs_of_hide,
    orders_of,
    random_orders,
    shares,
)
from saliscope.explainers.metrics.registry import Measured, Measuring, Metric
from saliscope.explainers.metrics.subject import Scores, Subject
from saliscope.explainers.texts.encoding import BoolArray

Fraction = Annotated[float, msgspec.Meta(gt=0, le=1)]
Fractions = Annotated[
    tuple[Fraction, ...], msgspec.Meta(min_length=1, max_length=100, description="shares of the text, averaged over")
]


class ErasureParams(msgspec.Struct):
    """Which shares of the text are taken; at least one feature is."""

    fractions: Fractions = (0.01, 0.05, 0.1, 0.2, 0.5)
    hide: Hide = "replace"
    by: By = "signed"
    mass: Mass = "tokens"


class DeltaParams(ErasureParams):
    """Which shares of the text are hidden; at least one feature is."""

    fractions: Fractions = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)


def _taken(subject: Subject, orders: Orders, params: ErasureParams) -> tuple[BoolArray, float]:
    """Rows `[R * G, n]` with the features that each fraction takes, and the mean share of tokens they are."""
    counts = np.maximum(1, counts_at(orders, subject.sizes, np.asarray(params.fractions), params.mass))
    return first(orders, counts), float(shares(orders, subject.sizes, counts, "tokens").mean())


def _erase(subject: Subject, scores: Scores, params: ErasureParams, keeps: bool) -> Measuring:
    taken, share = _taken(subject, orders_of(subject, scores, params.by), params)
    everything = np.ones((1, len(subject.features)), dtype=np.bool_)
    rows = yield from subject.look(
        np.concatenate([everything, taken if keeps else ~taken]), chosen_hiding(subject, params.hide)
    )
    probability = subject.probability(rows)
    drops = (probability[0] - probability[1:]).reshape(-1, len(params.fractions)).mean(axis=0)
    parts = {f"{fraction:g}": float(drop) for fraction, drop in zip(params.fractions, drops, strict=True)}
    return Measured(float(drops.mean()), {**parts, "retained": share if keeps else 1.0 - share})


def _comprehensiveness(subject: Subject, scores: Scores, params: ErasureParams) -> Measuring:
    return _erase(subject, scores, params, keeps=False)


def _sufficiency(subject: Subject, scores: Scores, params: ErasureParams) -> Measuring:
    return _erase(subject, scores, params, keeps=True)


def _delta(subject: Subject, scores: Scores, params: DeltaParams) -> Measuring:
    taken, share = _taken(subject, orders_of(subject, scores, params.by), params)
    by_chance, _ = _taken(subject, random_orders(subject), params)
    everything = np.ones((1, len(subject.features)), dtype=np.bool_)
    rows = yield from subject.look(
        np.concatenate([everything, ~taken, ~by_chance]), chosen_hiding(subject, params.hide)
    )
    correct = subject.correct(rows)
    whole, count = correct[0], len(params.fractions)
    left = correct[1 : 1 + len(taken)].reshape(-1, count).mean(axis=0)
    chance = correct[1 + len(taken) :].reshape(-1, count).mean(axis=0)
    parts = {f"{fraction:g}": float(whole - one) for fraction, one in zip(params.fractions, left, strict=True)}
    parts |= {"vs-random": float((chance - left).mean()), "retained": 1.0 - share}
    return Measured(float((whole - left).mean()), parts)


_ERASER = "DeYoung et al., ACL 2020; the mean over the fractions"

COMPREHENSIVENESS = Metric(
    name="comprehensiveness",
    summary="How far the target's probability falls when the most important features are hidden.",
    direction="up",
    params=ErasureParams,
    run=_comprehensiveness,
    source=_ERASER,
    needs=frozenset({"mask", "probabilities"}),
    requires=needs_of_hide,
)

SUFFICIENCY = Metric(
    name="sufficiency",
    summary="How far the target's probability falls when only the most important features are shown.",
    direction="down",
    params=ErasureParams,
    run=_sufficiency,
    source=_ERASER,
    needs=frozenset({"mask", "probabilities"}),
    requires=needs_of_hide,
)

DELTA_ACCURACY = Metric(
    name="delta-accuracy",
    summary="How far the accuracy falls when the most important features are hidden, and how much more than by chance.",
    direction="up",
    params=DeltaParams,
    run=_delta,
    source="Yang, Luo, Zhu & Jin, 2025; the protocol is ours, the paper's is not public",
    needs=frozenset({"class", "mask"}),
    requires=needs_of_hide,
    labels=True,
    negative="hiding what it calls important helped the model",
    caveats=("`vs-random` is the accuracy with random features hidden less that with the most important ones hidden.",),
)
