"""A method at work on one target."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from saliscope.explainers.answers import Answer, Solved
from saliscope.explainers.attribution import Prediction
from saliscope.explainers.errors import NonFinite
from saliscope.explainers.facts import ModelView
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Query
from saliscope.explainers.registry import Method
from saliscope.explainers.targets.aiming import Aim, name_target
from saliscope.explainers.targets.predicting import predict_class, predict_label, predict_next
from saliscope.explainers.targets.scales import resolved
from saliscope.explainers.targets.tails import Relay
from saliscope.explainers.texts.encoding import FloatArray

Steps = Generator[Query | Scored, Answer | None, Scored]


@dataclass(eq=False)
class Work:
    """A method, its parameters and what it is asked; the `problem` is there once its opening was answered."""

    model: ModelView
    method: Method
    params: Any
    asked: Asked
    aim: Aim
    problem: Problem | None = None
    outputs: FloatArray | None = None
    relay: Relay | None = None

    def steps(self) -> Steps:
        """Queries for the model and estimates; the scores at last."""
        if self.aim.tails is None:
            return self._steps()
        self.relay = Relay(self.asked.encoding, self.aim.tails, self.model.token_text)
        return self.relay.relayed(self._steps())

    @property
    def prediction(self) -> Prediction:
        """What the model says: of its classes or the labels, or of the token that comes next."""
        outputs, names = self.outputs, self.aim.names
        if self.relay is not None and self.aim.kind != "label-words":
            outputs, names = self.relay.outputs, None
        assert outputs is not None
        if names is None:
            return predict_next(self.model, outputs)
        return predict_label(names, outputs) if self.aim.kind == "label-words" else predict_class(self.model, outputs)

    def _steps(self) -> Steps:
        answer = yield self.method.opening(self.asked, self.params)
        assert answer is not None
        self.outputs = _raw_outputs(answer)
        scalar = resolved(self.asked.scalar, self.outputs)
        self.problem = Problem(self.asked, name_target(self.model, self.aim, scalar), scalar, answer)
        steps = self.method.run(self.problem, self.params)
        if isinstance(steps, Scored):
            return steps
        return (yield from steps)


def _raw_outputs(answer: Answer) -> FloatArray:
    outputs = None if isinstance(answer, Solved) else answer.outputs
    if outputs is None:
        raise TypeError("an opening query must read the raw outputs")
    if not np.isfinite(outputs).all():
        raise NonFinite("the model's output for this text is not finite; try float32 weights")
    return outputs
