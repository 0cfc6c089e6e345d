"""`kernel-shap`: Shapley values as the solution of a weighted regression with a fixed sum.

Lundberg & Lee, "A Unified Approach to Interpreting Model Predictions", NeurIPS 2017; coalitions in pairs with their
complement as Covert & Lee, AISTATS 2021.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.families.hiding import (
    ROWS_PER_PARTIAL,
    Mask,
    Wide,
    named_baseline,
    nothing_kept,
    open_hiding,
    values_of,
)
from saliscope.explainers.families.openings import read_value
from saliscope.explainers.families.pairs import draw_pairs, left_to_chance, num_pairs
from saliscope.explainers.families.surrogates import fit_with_sum
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.texts.encoding import BoolArray

EXACT_UP_TO = 10


class KernelShapParams(msgspec.Struct):
    """`samples` rows beside the full and the empty text, in pairs; where they are all there are, values are exact."""

    preset: Annotated[Literal["thermostat"] | None, msgspec.Meta(description="thermostat: samples=25")] = None
    samples: Annotated[
        Annotated[int, msgspec.Meta(ge=2, le=100_000)] | None,
        msgspec.Meta(description="rows; by default all for n <= 10, else 2 n + 2048"),
    ] = None
    mask: Mask = "replace"


def wanted_pairs(num_features: int, samples: int | None) -> int:
    """How many pairs of coalitions are evaluated."""
    every = num_pairs(num_features)
    if samples is None:
        return every if num_features <= EXACT_UP_TO else min(every, num_features + 1024)
    return min(every, samples // 2)


def _run(problem: Problem, params: KernelShapParams) -> Steps:
    count = len(problem.features)
    keep, weights = draw_pairs(count, wanted_pairs(count, params.samples), problem.asked.seed)
    full, empty = read_value(problem), (yield from nothing_kept(problem, params.mask))
    differences = np.zeros(len(keep))
    scored = _fitted(problem, params, keep[:0], differences[:0], weights[:0], len(keep), full, empty)
    step = ROWS_PER_PARTIAL[params.mask] // 2
    for start in range(0, len(keep), step):
        stop = min(start + step, len(keep))
        inner = keep[start:stop]
        values = yield from values_of(problem, np.concatenate([inner, ~inner]), params.mask)
        differences[start:stop] = values[: len(inner)] - values[len(inner) :]
        scored = _fitted(problem, params, keep[:stop], differences[:stop], weights[:stop], len(keep), full, empty)
        if stop < len(keep):
            yield scored
    return scored


def _fitted(
    problem: Problem,
    params: KernelShapParams,
    keep: BoolArray,
    differences: Wide,
    weights: Wide,
    total_pairs: int,
    full: float,
    empty: float,
) -> Scored:
    """Scores from the pairs so far.

    Both rows of a pair weigh the same and their predictions add up to a constant, so half the rows are enough:
    `sum_S b = (v(S) - v(not S) + v(all) - v(none)) / 2`.
    """
    count, gain = len(problem.features), full - empty
    warnings: tuple[str, ...] = ()
    r2 = stderr = None
    if len(keep):
        fit = fit_with_sum(keep, (differences + gain) / 2, weights, gain, left_to_chance(keep))
        scores, r2, rank, stderr = fit.coefficients, fit.r2, fit.rank, fit.stderr
    else:
        scores, rank = np.full(count, gain / count), 0
    if rank < count - 1:
        warnings = ("there are fewer rows than features: scores are evened out; raise samples",)
    return Scored(
        scores.astype(np.float32),
        value=full,
        base_value=empty,
        stderr=None if stderr is None or rank < count - 1 else stderr.astype(np.float32),
        baseline=named_baseline(problem, params.mask),
        params={"samples": 2 * total_pairs},
        diagnostics={
            "exact": len(keep) == num_pairs(count),
            "r2": r2,
            "done_rows": 2 * len(keep),
            "total_rows": 2 * total_pairs,
        },
        warnings=warnings,
    )


def _promise(asked: Asked, params: KernelShapParams) -> Promise:
    return Promise(2 + 2 * wanted_pairs(len(asked.features), params.samples))


KERNEL_SHAP = Method(
    name="kernel-shap",
    summary="Shapley values of the features by weighted regression: exact for short texts, sampled in pairs else.",
    group="perturbation",
    params=KernelShapParams,
    opening=open_hiding,
    run=_run,
    promise=_promise,
    cost="2^n forwards for n <= 10, else 2 n + 2050",
    source="Lundberg & Lee, NeurIPS 2017; pairs: Covert & Lee, AISTATS 2021",
    formula="φ = argmin Σ_S w_S (F(x_S) - F(x_∅) - Σ_(i∈S) φ_i)²,  Σ φ = F(x) - F(x_∅),"
    "  w_S = (n-1) / (C(n,|S|) |S| (n-|S|))",
    reading="The paper's: kernel and fixed ends; pairs are Covert and Lee's."
    " Ours: how the rows are shared among the sizes.",
    needs=frozenset({"mask"}),
    additive=True,
    presets={"thermostat": {"samples": 25}},
    caveats=(
        "Standard errors are of the draw of the rows (HC2, by what a size has left to draw): 0 where all are there.",
        "Sizes of coalitions that fit the budget are taken whole; the others share the rest of it: our allotment.",
        "The preset takes over the number of rows (12 pairs); the original draws single rows with repetition.",
    ),
)
