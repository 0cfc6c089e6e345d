"""First queries that several methods share, and how their answers are read."""

from __future__ import annotations

from typing import Any

import numpy as np

from saliscope.explainers.answers import Solved
from saliscope.explainers.problem import Asked, Problem
from saliscope.explainers.queries import Evaluate, Outputs
from saliscope.explainers.targets.scales import valued
from saliscope.explainers.texts.encoding import FloatArray


def whole_text(asked: Asked, params: Any) -> Evaluate:
    """The prediction on the text itself, one forward row."""
    return Evaluate(asked.encoding, Outputs(asked.scalar.kind, asked.scalar.groups), outputs=True)


def read_value(problem: Problem) -> float:
    """The target's value on the text, from the raw outputs of the opening."""
    outputs = None if isinstance(problem.opening, Solved) else problem.opening.outputs
    if outputs is None:
        raise TypeError("the opening did not read the raw outputs")
    wide: FloatArray = outputs.astype(np.float64)
    return float(valued(wide, problem.scalar, problem.facts.activation_of(problem.scalar.kind)))
