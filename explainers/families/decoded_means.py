"""Other scores of a layer, decoded: `decoded-integrated-gradients` and `decoded-smooth-grad`."""

from __future__ import annotations

from typing import Any

import numpy as np

from saliscope.explainers.families.decoding import (
    CAVEATS,
    LENDERS,
    NEEDS,
    DecoderParams,
    Positive,
    chosen_layer,
    decoding,
    decoding_warnings,
    diagnose,
    read_back,
    resolved,
)
from saliscope.explainers.families.layers import (
    From,
    check_reference,
    gradient_answer,
    moving,
    name_reference,
    state_rows,
)
from saliscope.explainers.families.noise import Cloud, DrawCount, Draws, Sigma, smooth
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
from saliscope.explainers.queries import Differentiate
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.texts.encoding import FloatArray


class DecodedPathParams(DecoderParams):
    """The path runs at the decoded layer, for all positions at once."""

    relu: Positive = "inner"
    steps: PointCount = 32
    nodes: Placing = "midpoint"
    reference: From = "mask"
    tolerance: Tolerance = 0.05
    max_steps: MostPoints = 256


class DecodedNoiseParams(DecoderParams):
    """The noise is on the decoded layer, at all positions."""

    relu: Positive = "inner"
    samples: DrawCount = 10
    sigma: Sigma = 0.01


def _open_path(asked: Asked, params: DecodedPathParams) -> Differentiate:
    check_reference(asked, params.reference)
    return _open(asked, params)


def _open(asked: Asked, params: DecodedPathParams | DecodedNoiseParams) -> Differentiate:
    return Differentiate(asked.encoding, asked.scalar, (chosen_layer(asked, params),), decoding(asked, params))


def _scored(
    problem: Problem, params: DecodedPathParams | DecodedNoiseParams, products: FloatArray, **more: Any
) -> Scored:
    layer = chosen_layer(problem.asked, params)
    decoded = gradient_answer(problem).decoded[layer]
    scores = read_back(problem, params, decoded, products, params.relu)
    return Scored(
        scores,
        layer=layer,
        signed=params.relu == "none",
        params=resolved(problem.asked, params),
        diagnostics={**diagnose(problem, params, decoded, products), **more.pop("diagnostics")},
        warnings=(*decoding_warnings(problem, decoded, scores, layer), *more.pop("warnings", ())),
        **more,
    )


def _rule(params: DecodedPathParams) -> Rule:
    return Rule(params.steps, params.nodes, params.tolerance, params.max_steps)


def _integrated(problem: Problem, params: DecodedPathParams) -> Steps:
    rule = _rule(params)

    def report(integral: Integral) -> Scored:
        return _scored(
            problem,
            params,
            integral.products.astype(np.float32),
            value=integral.value,
            base_value=integral.base_value,
            baseline=name_reference(problem.asked, params.reference),
            diagnostics={"steps": integral.steps, "missing": integral.missing},
            warnings=rule.missed(integral),
        )

    path = Path(chosen_layer(problem.asked, params), params.reference, moving(problem, "move"))
    return report((yield from integrate(problem, path, rule, report)))


def _smoothed(problem: Problem, params: DecodedNoiseParams) -> Steps:
    def report(draws: Draws) -> Scored:
        return _scored(problem, params, draws.mean, diagnostics=draws.progress)

    cloud = Cloud(chosen_layer(problem.asked, params), moving(problem, "move"), params.samples, params.sigma)
    return report((yield from smooth(problem, cloud, "displacement", report)))


def _promise_path(asked: Asked, params: DecodedPathParams) -> Promise:
    rows = sum(_rule(params).tries)
    return Promise(2 + rows + state_rows(chosen_layer(asked, params)), 1 + rows)


def _promise_noise(asked: Asked, params: DecodedNoiseParams) -> Promise:
    states = state_rows(chosen_layer(asked, params))
    return Promise(1 + params.samples + states, 1 + params.samples)


OURS = "The paper decodes gradients; decoding this score with the same decoder is ours."

DECODED_INTEGRATED_GRADIENTS = Method(
    name="decoded-integrated-gradients",
    summary="Integrated gradients of a middle layer's states, each position read back by the language-model head.",
    group="decoded layer saliency",
    params=DecodedPathParams,
    opening=_open_path,
    run=_integrated,
    promise=_promise_path,
    cost="steps + 2 forwards, steps + 1 backwards, 1 head; doubled, up to max_steps, while they do not add up",
    source="the decoder of Hou & Castanon, ICML 2023; the score of Sundararajan, Taly & Yan, ICML 2017",
    formula="φ_i = Σ_j P_j[i] · max(0, a_j);  a_j = ⟨h_j - h'_j, Σ_s w_s ∂F/∂h_j(h' + α_s (h - h'))⟩",
    reading="The papers': the decoder of the one, the integral of the other."
    " Ours: that the two are put together at a layer.",
    needs=NEEDS,
    lenders=LENDERS,
    targets=("class", "contrast"),
    signed=False,
    caveats=(
        *CAVEATS,
        OURS,
        "The path runs from the layer's states of the referenced text to those of the text, special tokens included.",
    ),
)

DECODED_SMOOTH_GRAD = Method(
    name="decoded-smooth-grad",
    summary="Gradients averaged over noise on a middle layer, times its states, read back by the language-model head.",
    group="decoded layer saliency",
    params=DecodedNoiseParams,
    opening=_open,
    run=_smoothed,
    promise=_promise_noise,
    cost="samples + 1 forwards, samples + 1 backwards, 1 head",
    source="the decoder of Hou & Castanon, ICML 2023; the score of Smilkov et al. 2017",
    formula="φ_i = Σ_j P_j[i] · max(0, a_j);  a_j = ⟨h_j, mean_s ∂F/∂h_j(h + ε_s)⟩,  ε_s ~ N(0, (σ · range)²)",
    reading="The papers': the decoder of the one, the mean of the other."
    " Ours: that the two are put together at a layer.",
    needs=NEEDS,
    lenders=LENDERS,
    targets=("class", "contrast"),
    signed=False,
    caveats=(*CAVEATS, OURS, "The mean gradient is held against the layer's own, clean states."),
)
