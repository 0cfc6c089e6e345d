"""`integrated-gradients`: gradients along the straight line from a reference to the text.

Sundararajan, Taly & Yan, "Axiomatic Attribution for Deep Networks", ICML 2017.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.families.layers import (
    Explained,
    From,
    Movable,
    Normalise,
    Start,
    check_reference,
    fixed_scale,
    moving,
    name_reference,
    shares,
    start_layer,
    state_rows,
)
from saliscope.explainers.families.openings import whole_text
from saliscope.explainers.families.path import (
    Integral,
    MostPoints,
    Path,
    Placing,
    PointCount,
    Rule,
    Tolerance,
    integrate,
)
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Evaluate
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.targets.scalar import Scale
from saliscope.explainers.variants import INPUT


class IntegratedGradientsParams(msgspec.Struct):
    """`steps` double while the scores miss the target's change by more than `tolerance`.

    The presets are the settings of those packages.
    """

    steps: PointCount = 32
    nodes: Placing = "midpoint"
    reference: From = "mask"
    tolerance: Tolerance = 0.05
    max_steps: MostPoints = 256
    at: Start = "embedding"
    special: Movable = "keep"
    of: Explained = "target"
    normalise: Normalise = "none"
    preset: Annotated[
        Literal["allennlp", "thermostat"] | None, msgspec.Meta(description="the settings of that package")
    ] = None


def _open(asked: Asked, params: IntegratedGradientsParams) -> Evaluate:
    check_reference(asked, params.reference)
    start_layer(asked, params.at)
    return whole_text(asked, params)


def _rule(params: IntegratedGradientsParams) -> Rule:
    return Rule(params.steps, params.nodes, params.tolerance, params.max_steps)


def _run(problem: Problem, params: IntegratedGradientsParams) -> Steps:
    layer = start_layer(problem.asked, params.at)
    path, rule = Path(layer, params.reference, moving(problem, params.special)), _rule(params)

    def report(integral: Integral) -> Scored:
        products = integral.products.astype(np.float32)
        plain = params.normalise == "none"
        return Scored(
            problem.regroup(products if plain else shares(products)),
            value=integral.value,
            base_value=integral.base_value,
            layer=None if layer == INPUT else layer,
            signed=plain,
            # What special tokens add, where they move, has no feature to go to.
            additive=plain and (params.special == "keep" or not problem.encoding.special.any()),
            baseline=name_reference(problem.asked, params.reference),
            diagnostics={"steps": integral.steps, "missing": integral.missing},
            warnings=rule.missed(integral),
        )

    return report((yield from integrate(problem, path, rule, report)))


def _promise(asked: Asked, params: IntegratedGradientsParams) -> Promise:
    rows = sum(_rule(params).tries)
    return Promise(2 + rows + state_rows(start_layer(asked, params.at)), rows)


def _scale(params: IntegratedGradientsParams) -> Scale | None:
    return fixed_scale(params.of)


INTEGRATED_GRADIENTS = Method(
    name="integrated-gradients",
    summary="Gradients averaged on the straight line from a reference to the text, times the way gone.",
    group="gradients",
    params=IntegratedGradientsParams,
    opening=_open,
    run=_run,
    promise=_promise,
    cost="steps + 2 forwards, steps backwards; doubled, up to max_steps, while the scores do not add up",
    source="Sundararajan, Taly & Yan, ICML 2017",
    formula="φ_i = Σ_(j∈i) ⟨E_j - B_j, Σ_s w_s ∂F/∂E_j(B + α_s (E - B))⟩",
    reading="The paper's: the integral on the straight line."
    " Ours: midpoints, the mask token as reference, special tokens kept, and doubling until scores add up.",
    needs=frozenset({"gradients"}),
    additive=True,
    scale=_scale,
    presets={
        "allennlp": {
            "steps": 10,
            "nodes": "left",
            "reference": "zero",
            "max_steps": 1,
            "special": "move",
            "of": "loss",
            "normalise": "l1",
        },
        "thermostat": {
            "steps": 25,
            "nodes": "gauss-legendre",
            "reference": "pad",
            "at": "embedding-block",
            "max_steps": 1,
        },
    },
    caveats=(
        "Scores depend on the reference: they say what the words add to it.",
        "missing in the diagnostics is the share of the target's change that the scores fail to add up to.",
        "Doubling the steps until they add up is ours, not the paper's; max_steps=1 turns it off.",
        "preset=allennlp gives absolute shares of the loss, which neither have signs nor add up.",
    ),
)
