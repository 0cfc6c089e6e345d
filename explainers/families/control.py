"""`random`: scores without meaning, the floor that every other method must beat."""

from __future__ import annotations

import msgspec
import numpy as np

from saliscope.explainers.families.openings import read_value, whole_text
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.registry import Method, Promise


class RandomParams(msgspec.Struct):
    """No parameters beside the seed."""


def _run(problem: Problem, params: RandomParams) -> Scored:
    rng = np.random.default_rng(problem.asked.seed)
    scores = rng.uniform(-1.0, 1.0, len(problem.features)).astype(np.float32)
    return Scored(scores, value=read_value(problem))


def _promise(asked: Asked, params: RandomParams) -> Promise:
    return Promise(1)


RANDOM = Method(
    name="random",
    summary="Uniform scores in [-1, 1] from the seed: a control, not an explanation.",
    group="control",
    params=RandomParams,
    opening=whole_text,
    run=_run,
    promise=_promise,
    cost="1 forward (for the prediction)",
    source="control",
    formula="φ_i ~ U(-1, 1)",
    reading="A control: nothing to read.",
    caveats=("Means nothing; use it to see how far another method is from chance.",),
)
