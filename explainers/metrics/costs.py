"""`cost` and `time`: what a method's scores of one text took."""

from __future__ import annotations

from saliscope.explainers.metrics.registry import Measured, Measuring, Metric, NoParams
from saliscope.explainers.metrics.subject import Scores, Subject


def passes(forward_rows: int, backward_rows: int) -> float:
    """Rows through the model: one forward, or forward and back, is one, as every backward row was a forward one."""
    return float(max(forward_rows, backward_rows))


def _cost(subject: Subject, scores: Scores, params: NoParams) -> Measuring:
    yield from ()
    if scores.cost is None:
        return Measured(skipped="the scores were computed elsewhere")
    forward, backward = scores.cost
    return Measured(passes(forward, backward), {"forward": float(forward), "backward": float(backward)})


def _time(subject: Subject, scores: Scores, params: NoParams) -> Measuring:
    yield from ()
    if scores.seconds is None:
        return Measured(skipped="the scores were computed elsewhere")
    return Measured(scores.seconds)


COST = Metric(
    name="cost",
    summary="Passes through the model for one text: a row forward, or forward and back, is one.",
    direction="down",
    params=NoParams,
    run=_cost,
    source="counted; a gradient's pass is 1x as in Kariyappa et al., ICML 2024",
    caveats=(
        "Going back takes about as long again: see `forward` and `backward` among the parts, and `time`.",
        "The empty text's row, which progressive inference asks for once a model, is not among them.",
    ),
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
