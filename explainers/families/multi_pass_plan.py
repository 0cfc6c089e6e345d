"""The choices of multi-pass progressive inference: its parameters, and what they mean for a text of n features.

Kariyappa et al., ICML 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from saliscope.explainers.families.passes import Weights
from saliscope.explainers.families.progressive import EmptyText
from saliscope.explainers.families.sampling_tables import LARGEST_SHIPPED
from saliscope.explainers.families.shapley_regression import Constraint

EXACT_FROM = 20
"""Passes per feature from which `weights="auto"` trusts exact weights."""


class MpPiParams(msgspec.Struct):
    """What is left out follows from `preset`: Shapley sampling and a plain fit, or the paper's choices."""

    preset: Annotated[
        Literal["default", "paper"],
        msgspec.Meta(description="paper: optimal sampling, class weights P*/P^D, ends fixed as in Kernel SHAP"),
    ] = "default"
    budget: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None,
        msgspec.Meta(description="passes at most, the text itself included; default 2n"),
    ] = None
    sampling: Annotated[
        Literal["shapley", "optimal"] | None,
        msgspec.Meta(description="law of the passes: Shapley's kernel, or the solution of the paper's equation 16"),
    ] = None
    weights: Annotated[
        Literal["uniform", "exact", "class", "auto"] | None,
        msgspec.Meta(description="uniform: each coalition once; exact: by inclusion probability; auto: exact from 20n"),
    ] = None
    constraint: Annotated[
        Constraint | None,
        msgspec.Meta(description="shift: free intercept, rest shared equally; efficiency: ends fixed (Kernel SHAP)"),
    ] = None
    antithetic: Annotated[bool, msgspec.Meta(description="every second pass starts from the complement")] = False
    value: Annotated[
        Literal["prefix", "end"],
        msgspec.Meta(description="read right after the last kept feature, or right before the next kept one"),
    ] = "prefix"
    p0: Annotated[EmptyText, msgspec.Meta(description="value of the empty coalition, as for sp-pi")] = "auto"
    tolerance: Annotated[
        float,
        msgspec.Meta(ge=0.0, le=1.0, description="stop when all standard errors are below this share of the top score"),
    ] = 0.0
    weight_cap: Annotated[
        float, msgspec.Meta(ge=50.0, le=100.0, description="percentile at which weights are cut; 100 cuts none")
    ] = 100.0
    optimal_up_to: Annotated[
        int, msgspec.Meta(ge=2, le=400, description="features up to which the optimal law is solved for")
    ] = 200
    paper_formula: Annotated[
        bool, msgspec.Meta(description="equation 17 as printed, with its off-by-one, for comparison (n <= 64)")
    ] = False

    def __post_init__(self) -> None:
        """Refuse combinations without a meaning."""
        paper = self.preset == "paper"
        if self.antithetic and (self.sampling == "optimal" or (paper and self.sampling is None)):
            raise ValueError("antithetic passes need sampling='shapley': complements do not follow the optimal law")
        if self.paper_formula and not (paper or self.sampling == "optimal" or self.weights == "class"):
            raise ValueError("paper_formula changes sampling='optimal' and weights='class' only; give preset='paper'")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done for a text of n features, nothing left open; `every` says that all coalitions are read."""

    budget: int
    every: bool
    sampling: Literal["shapley", "optimal"]
    weights: Weights
    constraint: Constraint
    printed: bool
    cap: float
    warnings: tuple[str, ...] = ()


def plan(num_features: int, params: MpPiParams) -> Plan:
    """Resolve the parameters for this many features."""
    n, paper = num_features, params.preset == "paper"
    budget = params.budget or 2 * n
    every = n - 1 < 32 and 2 ** (n - 1) <= budget
    sampling = params.sampling or ("optimal" if paper else "shapley")
    weights = params.weights or ("class" if paper else "uniform")
    if weights == "auto":
        weights = "exact" if budget >= EXACT_FROM * n else "uniform"
    constraint = params.constraint or ("shift" if weights == "uniform" else "efficiency")
    warnings, printed = [], params.paper_formula
    if printed and n > LARGEST_SHIPPED and not every:
        printed = False
        warnings.append(f"the printed formula is followed up to {LARGEST_SHIPPED} features; this is the corrected one")
    if sampling == "optimal" and n > params.optimal_up_to and not every:
        sampling = "shapley"
        warnings.append(f"{n} features are more than optimal_up_to={params.optimal_up_to}: passes follow Shapley's law")
    return Plan(budget, every, sampling, weights, constraint, printed, params.weight_cap, tuple(warnings))
