"""`lime`: a weighted linear model of how the target answers to features being hidden at random."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.families.hiding import (
    ROWS_PER_PARTIAL,
    Mask,
    Wide,
    named_baseline,
    open_hiding,
    values_of,
)
from saliscope.explainers.families.openings import read_value
from saliscope.explainers.families.surrogates import ridge_fit
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.texts.encoding import BoolArray

POOR_FIT = 0.1


class LimeParams(msgspec.Struct):
    """`hide` is the chance of a feature to be hidden; None draws one anew for every row, evenly from (0, 1)."""

    preset: Annotated[
        Literal["thermostat"] | None,
        msgspec.Meta(description="thermostat: samples=25, hide=0.3, kernel=share, ridge=1"),
    ] = None
    samples: Annotated[
        Annotated[int, msgspec.Meta(ge=2, le=100_000)] | None,
        msgspec.Meta(description="random rows; by default max(200, 4 n)"),
    ] = None
    hide: Annotated[
        Annotated[float, msgspec.Meta(gt=0, lt=1)] | None,
        msgspec.Meta(description="chance of a feature to be hidden; by default drawn for every row"),
    ] = None
    kernel: Annotated[
        Literal["exponential", "share"],
        msgspec.Meta(
            description="weight of a row: exp(-(hidden share of features / width)^2), or the share of tokens kept"
        ),
    ] = "exponential"
    width: Annotated[float, msgspec.Meta(gt=0, le=100, description="width of the exponential kernel")] = 0.25
    ridge: Annotated[
        float, msgspec.Meta(ge=0, le=1e6, description="penalty on the squared coefficients, not per row")
    ] = 0.01
    mask: Mask = "replace"


def num_samples(num_features: int, samples: int | None) -> int:
    """How many random rows are drawn."""
    return samples or max(200, 4 * num_features)


def draw_rows(num_features: int, count: int, hide: float | None, seed: int) -> BoolArray:
    """Random rows `[count, n]`, true where a feature is kept."""
    rng = np.random.default_rng(seed)
    chance = rng.uniform(size=(count, 1)) if hide is None else np.full((count, 1), hide)
    return np.asarray(rng.uniform(size=(count, num_features)) >= chance)


def row_weights(problem: Problem, keep: BoolArray, params: LimeParams) -> Wide:
    """How much each row counts, `[B]`."""
    if params.kernel == "exponential":
        return np.asarray(np.exp(-(((~keep).mean(axis=1) / params.width) ** 2)), dtype=np.float64)
    sizes = np.asarray([len(group) for group in problem.groups])
    return np.asarray(1.0 - (~keep) @ sizes / len(problem.encoding), dtype=np.float64)


def _run(problem: Problem, params: LimeParams) -> Steps:
    count, num_features = num_samples(len(problem.features), params.samples), len(problem.features)
    drawn = draw_rows(num_features, count, params.hide, problem.asked.seed)
    # The text itself is the first row: it costs nothing and has the full weight.
    keep = np.concatenate([np.ones((1, num_features), dtype=np.bool_), drawn])
    weights = row_weights(problem, keep, params)
    value = read_value(problem)
    values = np.full(count + 1, value)
    step = ROWS_PER_PARTIAL[params.mask]
    for start in range(1, count + 1, step):
        stop = min(start + step, count + 1)
        values[start:stop] = yield from values_of(problem, keep[start:stop], params.mask)
        scored = _fitted(problem, params, keep[:stop], values[:stop], weights[:stop], count)
        if stop <= count:
            yield scored
    return scored


def _fitted(problem: Problem, params: LimeParams, keep: BoolArray, values: Wide, weights: Wide, count: int) -> Scored:
    # Far rows weigh next to nothing; their ratios would only spoil the numbers.
    used = weights > 1e-12
    # The first row is the text itself in any draw.
    chance = (np.arange(len(keep)) > 0).astype(np.float64)
    fit = ridge_fit(keep[used], values[used], weights[used], params.ridge, chance[used])
    warnings = []
    if fit.r2 is not None and fit.r2 < POOR_FIT:
        warnings.append(f"the linear model explains {max(fit.r2, 0.0):.0%} of the variation: scores mean little")
    if used.sum() <= len(problem.features):
        warnings.append("there are fewer rows than features: raise samples")
    return Scored(
        fit.coefficients.astype(np.float32),
        value=float(values[0]),
        stderr=None if fit.stderr is None else fit.stderr.astype(np.float32),
        baseline=named_baseline(problem, params.mask),
        params={"samples": count},
        diagnostics={"r2": fit.r2, "intercept": fit.intercept, "done_rows": len(values) - 1, "total_rows": count},
        warnings=tuple(warnings),
    )


def _promise(asked: Asked, params: LimeParams) -> Promise:
    return Promise(1 + num_samples(len(asked.features), params.samples))


LIME = Method(
    name="lime",
    summary="A linear model, fitted near the text, of what hiding features at random does to the target.",
    group="perturbation",
    params=LimeParams,
    opening=open_hiding,
    run=_run,
    promise=_promise,
    cost="max(200, 4 n) + 1 forwards",
    source="Ribeiro et al., KDD 2016; preset thermostat: Feldhus et al., EMNLP 2021 demonstrations",
    formula="φ = argmin Σ_s π_s (F(x_S) - c - Σ_(i∈S) φ_i)² + ρ ‖φ‖²,  π_s = exp(-(hidden share / width)²)",
    reading="The paper's: a weighted linear fit to hidden features."
    " Ours: chance of hiding, width and ridge, which the paper leaves open.",
    needs=frozenset({"mask"}),
    presets={"thermostat": {"samples": 25, "hide": 0.3, "kernel": "share", "ridge": 1.0}},
    caveats=(
        "Chance of hiding, kernel width and penalty are our choices: the paper leaves them to the data.",
        "Standard errors are of the draw of the rows alone (HC2); how well a line fits at all is r2.",
        "The preset takes over samples, chance, kernel and penalty; the original fits token ids, not what is kept.",
    ),
)
