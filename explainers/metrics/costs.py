"""`cost` and `time`: what a method's scores of one text took."""

from __future__ import annotations

from typing import Final

from saliscope.explainers.metrics.registry import Measured, Measuring, Metric, NoParams
from saliscope.explainers.metrics.subject import Scores, Subject

#: A backward pass takes about as long as two forward passes.
BACKWARD: Final = 2


def forward_equivalents(forward_rows: int, backward_rows: int) -> float:
    """Rows through the model, a backward one counted twice."""
    return float(forward_rows + BACKWARD * backward_rows)


def _cost(subject: Subject, scores: Scores, params: NoParams) -> Measuring:
    yield from ()
    if scores.cost is None:
        return Measured(skipped="the scores were computed elsewhere")
    forward, backward = scores.cost
    return Measured(forward_equivalents(forward, backward), {"forward": float(forward), "backward": float(backward)})


def _time(subject: Subject, scores: Scores, params: NoParams) -> Measuring:
    yield from ()
    if scores.seconds is None:
        return Measured(skipped="the scores were computed elsewhere")
    return Measured(scores.seconds)


COST = Metric(
    name="cost",
    summary="Rows through the model for one text, in forward passes; a backward pass counts as two.",
    direction="down",
    params=NoParams,
    run=_cost,
    source="counted",
)

TIME = Metric(
    name="time",
    summary="Seconds for one text: the method's own and its share of the passes.",
    direction="down",
    params=NoParams,
    run=_time,
    source="measured",
    caveats=("Differs from run to run and from machine to machine; texts that run together share their passes.",),
)
