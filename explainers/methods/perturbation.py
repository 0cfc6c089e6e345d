"""Methods that mask and look: `occlusion`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from saliscope.explainers.encoding import BoolArray, FloatArray
from saliscope.explainers.errors import NonFinite, listing
from saliscope.explainers.methods.openings import read_value, whole_text
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Evaluate, Evaluated, Value
from saliscope.explainers.registry import Method, Promise, Steps

ROWS_PER_PARTIAL = 64


class OcclusionParams(msgspec.Struct):
    """`window` features are hidden at once, moving by one; a feature's score is the mean over its windows."""

    window: Annotated[int, msgspec.Meta(ge=1, le=1000, description="features hidden at once")] = 1


def windows(num_features: int, window: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which features each row keeps, `[rows, n]`: every run of `window` features is hidden once."""
    width = min(window, num_features)
    starts = np.arange(num_features - width + 1)[:, None]
    places = np.arange(num_features)[None, :]
    return (places < starts) | (places >= starts + width)


def _run(problem: Problem, params: OcclusionParams) -> Steps:
    keep = windows(len(problem.features), params.window)
    value = read_value(problem)
    drops = np.zeros(len(keep))
    baseline = f"hidden features hold {problem.facts.mask_text!r}"
    read = Value(problem.scalar)
    for start in range(0, len(keep), ROWS_PER_PARTIAL):
        stop = min(start + ROWS_PER_PARTIAL, len(keep))
        answer = yield Evaluate(problem.encoding, read, problem.keep(keep[start:stop]))
        assert isinstance(answer, Evaluated)
        _check_finite(problem, answer.values, keep[start:stop])
        drops[start:stop] = value - answer.values.astype(np.float64)
        scores = _mean_over_windows(drops[:stop], ~keep[:stop])
        progress = {"done_rows": stop, "total_rows": len(keep)}
        scored = Scored(scores, value=value, baseline=baseline, diagnostics=progress)
        if stop < len(keep):
            yield scored
    return scored


def _check_finite(problem: Problem, values: FloatArray, keep: BoolArray) -> None:
    """Name the features whose hiding breaks the model; a mean over windows would spread the NaN over all of them."""
    for row in np.flatnonzero(~np.isfinite(values)):
        hidden = listing(repr(problem.features[i].text) for i in np.flatnonzero(~keep[row]))
        raise NonFinite(f"the model's output is not finite with {hidden} hidden; try float32 weights")


def _mean_over_windows(
    drops: np.ndarray[tuple[int], np.dtype[np.float64]], hidden: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    counts = np.maximum(hidden.sum(axis=0), 1)
    mean: np.ndarray[tuple[int], np.dtype[np.float32]] = (drops @ hidden / counts).astype(np.float32)
    return mean


def _promise(asked: Asked, params: OcclusionParams) -> Promise:
    return Promise(1 + len(asked.features) - min(params.window, len(asked.features)) + 1)


OCCLUSION = Method(
    name="occlusion",
    summary="How far the target falls when a feature is hidden behind the mask token.",
    group="perturbation",
    params=OcclusionParams,
    opening=whole_text,
    run=_run,
    promise=_promise,
    cost="n + 1 forwards (n - window + 2 with a window)",
    source="Zeiler & Fergus 2014",
    needs=frozenset({"mask"}),
    caveats=("Redundant words hide each other: masking one of two synonyms changes little.",),
)
