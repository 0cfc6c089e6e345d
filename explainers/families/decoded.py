"""Decoded layer saliency from one gradient: `decoded-grad-cam` and `decoded-simple`.

Hou & Castanon, "Decoding Layer Saliency in Language Transformers", ICML 2023 (arXiv 2308.05219).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from saliscope.explainers.answers import Reduction
from saliscope.explainers.families.decoding import (
    CAVEATS,
    LENDERS,
    NEEDS,
    DecoderParams,
    Positive,
    Relu,
    chosen_layer,
    decoding,
    decoding_warnings,
    diagnose,
    read_back,
    resolved,
)
from saliscope.explainers.families.gradients import Variant, one_of_each, simple_products, the_loss
from saliscope.explainers.families.layers import gradient_answer, shares
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Differentiate
from saliscope.explainers.registry import Method
from saliscope.explainers.texts.encoding import FloatArray
from saliscope.explainers.variants import Layer

Sweep = Annotated[
    Literal["one", "all"], msgspec.Meta(description="all: every layer, from the same pass, beside the chosen one")
]


class DecodedGradCamParams(DecoderParams):
    """Parameters of decoded Grad-CAM; the defaults are the paper's algorithm 1 without a filter."""

    relu: Positive = "inner"
    aggregate: Annotated[
        Literal["sum", "l2"],
        msgspec.Meta(description="how the products of a position become one number: their sum, or Euclidean length"),
    ] = "sum"
    layers: Sweep = "one"


class DecodedSimpleParams(DecoderParams):
    """Parameters of decoded Simple."""

    variant: Variant = "allennlp"
    layers: Sweep = "one"


def _layers(asked: Asked, params: DecodedGradCamParams | DecodedSimpleParams) -> tuple[Layer, ...]:
    own = chosen_layer(asked, params)
    return (own,) if params.layers == "one" else tuple(range(asked.facts.num_layers + 1))


def _open(asked: Asked, params: DecodedGradCamParams | DecodedSimpleParams, reduction: Reduction) -> Differentiate:
    layers = _layers(asked, params)
    return Differentiate(asked.encoding, asked.scalar, layers, decoding(asked, params), (reduction,))


def _scored(
    problem: Problem,
    params: DecodedGradCamParams | DecodedSimpleParams,
    products: Callable[[Layer], FloatArray],
    relu: Relu,
) -> Scored:
    """The chosen layer's scores, and those of the others if they were asked for."""
    answer, own = gradient_answer(problem), chosen_layer(problem.asked, params)
    layers = _layers(problem.asked, params)
    scores = {at: read_back(problem, params, answer.decoded[at], products(at), relu) for at in layers}
    diagnostics = diagnose(problem, params, answer.decoded[own], products(own))
    if params.layers == "all":
        diagnostics["decode_rates"] = [answer.decoded[at].rate for at in layers]
    first = scores.pop(own)
    return Scored(
        first,
        layer=own,
        layers=scores,
        signed=relu == "none",
        params=resolved(problem.asked, params),
        diagnostics=diagnostics,
        warnings=decoding_warnings(problem, answer.decoded[own], first, own),
    )


def _grad_cam_products(params: DecodedGradCamParams) -> Reduction:
    return "activation" if params.aggregate == "sum" else "l2-activation"


def _open_grad_cam(asked: Asked, params: DecodedGradCamParams) -> Differentiate:
    return _open(asked, params, _grad_cam_products(params))


def _grad_cam(problem: Problem, params: DecodedGradCamParams) -> Scored:
    products, kind = gradient_answer(problem).products, _grad_cam_products(params)
    return _scored(problem, params, lambda layer: products[layer, kind][0], params.relu)


def _open_simple(asked: Asked, params: DecodedSimpleParams) -> Differentiate:
    return _open(asked, params, simple_products(params.variant))


def _simple(problem: Problem, params: DecodedSimpleParams) -> Scored:
    products, kind = gradient_answer(problem).products, simple_products(params.variant)
    # Shares are never negative, so that the places of the ReLU make no difference; "inner" says that too.
    return _scored(problem, params, lambda layer: shares(products[layer, kind][0]), "inner")


DECODED_GRAD_CAM = Method(
    name="decoded-grad-cam",
    summary="Grad-CAM at a middle layer, each position read back as words by the language-model head.",
    group="decoded layer saliency",
    params=DecodedGradCamParams,
    opening=_open_grad_cam,
    run=_grad_cam,
    promise=one_of_each,
    cost="1 forward, 1 backward, 1 head",
    source="Hou & Castanon, ICML 2023, algorithm 1 and equation 6",
    formula="φ_i = Σ_j P_j[i] · max(0, a_j);  a_j = ⟨∂F/∂h_j, h_j⟩,  P_j = softmax(head(h_j))",
    reading="The paper's: algorithm 1 (relu=inner) and equation 6 (relu=outer), which differ; a layer in the middle."
    " Ours: 7/12 of the depth where the model has not 12 layers, no filter tau, decoders, aggregate and split.",
    needs=NEEDS,
    lenders=LENDERS,
    targets=("class", "contrast"),
    signed=False,
    caveats=(*CAVEATS, "aggregate=l2 is ours; it has no signs, so that relu makes no difference to it."),
)

DECODED_SIMPLE = Method(
    name="decoded-simple",
    summary="Simple, the gradient of the loss, at a middle layer, each position read back by the language-model head.",
    group="decoded layer saliency",
    params=DecodedSimpleParams,
    opening=_open_simple,
    run=_simple,
    promise=one_of_each,
    cost="1 forward, 1 backward, 1 head",
    source="Hou & Castanon, ICML 2023, decoded Simple",
    formula="φ_i = Σ_j P_j[i] · a_j;  a_j = |⟨∂L/∂h_j, h_j⟩| / Σ_m |⟨∂L/∂h_m, h_m⟩|,  L = -log p",
    reading="The paper's: Simple at a layer, decoded."
    " Our reading: its prose says l1 norm, the code behind it multiplies by the state; both are here.",
    needs=NEEDS | {"probabilities"},
    lenders=LENDERS,
    targets=("class", "contrast"),
    scale=the_loss,
    signed=False,
    caveats=(
        *CAVEATS,
        "Always explains the loss, -log p of the target, whatever scale is asked for: the result's scale is loss.",
        "variant=allennlp is gradient times state, as the code behind the paper's Simple; l1 is what its prose says.",
    ),
)
