"""`occlusion`: how far the target falls when features are hidden."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.families.hiding import ROWS_PER_PARTIAL, Mask, named_baseline, open_hiding, values_of
from saliscope.explainers.families.openings import read_value
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.registry import Method, Promise, Steps


class OcclusionParams(msgspec.Struct):
    """`window` features are hidden at once, moving by one; a feature's score is the mean over its windows."""

    preset: Annotated[Literal["thermostat"] | None, msgspec.Meta(description="thermostat: window=3")] = None
    window: Annotated[int, msgspec.Meta(ge=1, le=1000, description="features hidden at once")] = 1
    mask: Mask = "replace"


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
    baseline = named_baseline(problem, params.mask)
    step = ROWS_PER_PARTIAL[params.mask]
    for start in range(0, len(keep), step):
        stop = min(start + step, len(keep))
        drops[start:stop] = value - (yield from values_of(problem, keep[start:stop], params.mask))
        scores = _mean_over_windows(drops[:stop], ~keep[:stop])
        progress = {"done_rows": stop, "total_rows": len(keep)}
        scored = Scored(scores, value=value, baseline=baseline, diagnostics=progress)
        if stop < len(keep):
            yield scored
    return scored


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
    summary="How far the target falls when a feature is hidden.",
    group="perturbation",
    params=OcclusionParams,
    opening=open_hiding,
    run=_run,
    promise=_promise,
    cost="n + 1 forwards (n - window + 2 with a window)",
    source="Zeiler & Fergus 2014",
    formula="φ_i = F(x) - F(x without i);  with a window the mean over the windows that hold i",
    reading="The paper's, for words instead of patches of an image. Ours: the three ways of hiding.",
    needs=frozenset({"mask"}),
    presets={"thermostat": {"window": 3}},
    caveats=("Redundant words hide each other: masking one of two synonyms changes little.",),
)
