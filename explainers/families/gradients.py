"""Methods that need one gradient: `simple`, `grad-l2`, `input-x-gradient`, `grad-x-activation` and `grad-cam`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.answers import Reduction
from saliscope.explainers.families.layers import Depth, check_layer, gradient_answer, shares, special_share
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Differentiate
from saliscope.explainers.registry import Method, Promise
from saliscope.explainers.targets.scalar import KINDS, Scale
from saliscope.explainers.texts.encoding import FloatArray
from saliscope.explainers.variants import INPUT, Layer

Variant = Annotated[
    Literal["allennlp", "l1"],
    msgspec.Meta(description="allennlp: |gradient . state|, l1: the gradient's l1 norm; both as shares of their sum"),
]
LOCAL = "Local: it says what an infinitesimal change of a word would do, and saturates with the model."


class SimpleParams(msgspec.Struct):
    """`variant` is what the code behind the published numbers computes, or what the prose says; `layer` where."""

    variant: Variant = "allennlp"
    layer: Annotated[Depth | None, msgspec.Meta(description="None: the word embeddings; else a layer")] = None


class GradL2Params(msgspec.Struct):
    """No parameters."""


class InputXGradientParams(msgspec.Struct):
    """`norm` says how a token's products become one number."""

    norm: Annotated[
        Literal["signed", "l2"], msgspec.Meta(description="signed: their sum; l2: their Euclidean length, not negative")
    ] = "signed"


class GradXActivationParams(msgspec.Struct):
    """`layer` 0 is what enters the first block, l the output of block l."""

    layer: Depth = 0


class GradCamParams(msgspec.Struct):
    """`layer` 0 is what enters the first block, l the output of block l."""

    layer: Depth = 0


def one_of_each(asked: Asked, params: object) -> Promise:
    """One forward and one backward row."""
    return Promise(1, 1)


def the_loss(params: object) -> Scale:
    """The scale of methods that explain the loss."""
    return "loss"


def simple_products(variant: str) -> Reduction:
    """What "Simple" makes of a gradient at a position, before the absolute value and the division by the sum."""
    return "activation" if variant == "allennlp" else "l1"


def _products(problem: Problem, layer: Layer, reduction: Reduction) -> FloatArray:
    row: FloatArray = gradient_answer(problem).products[layer, reduction][0]
    return row


def _simple_layer(asked: Asked, params: SimpleParams) -> Layer:
    return INPUT if params.layer is None else check_layer(asked, params.layer)


def _open_simple(asked: Asked, params: SimpleParams) -> Differentiate:
    reductions = (simple_products(params.variant),)
    return Differentiate(asked.encoding, asked.scalar, (_simple_layer(asked, params),), reductions=reductions)


def _simple(problem: Problem, params: SimpleParams) -> Scored:
    products = _products(problem, _simple_layer(problem.asked, params), simple_products(params.variant))
    return Scored(
        problem.regroup(shares(products)),
        layer=params.layer,
        diagnostics={"special_share": special_share(problem, products)},
    )


def _open_l2(asked: Asked, params: GradL2Params) -> Differentiate:
    return Differentiate(asked.encoding, asked.scalar, (INPUT,), reductions=("l2",))


def _grad_l2(problem: Problem, params: GradL2Params) -> Scored:
    return Scored(problem.regroup(_products(problem, INPUT, "l2")))


def _input_reduction(params: InputXGradientParams) -> Reduction:
    return "activation" if params.norm == "signed" else "l2-activation"


def _open_input(asked: Asked, params: InputXGradientParams) -> Differentiate:
    return Differentiate(asked.encoding, asked.scalar, (INPUT,), reductions=(_input_reduction(params),))


def _input_x_gradient(problem: Problem, params: InputXGradientParams) -> Scored:
    scores = problem.regroup(_products(problem, INPUT, _input_reduction(params)))
    return Scored(scores, signed=params.norm == "signed")


def _open_layer(asked: Asked, params: GradXActivationParams | GradCamParams) -> Differentiate:
    return Differentiate(asked.encoding, asked.scalar, (check_layer(asked, params.layer),))


def _grad_x_activation(problem: Problem, params: GradXActivationParams) -> Scored:
    products = _products(problem, params.layer, "activation")
    diagnostics = {"special_share": special_share(problem, products)}
    return Scored(problem.regroup(products), layer=params.layer, diagnostics=diagnostics)


def _grad_cam(problem: Problem, params: GradCamParams) -> Scored:
    products = _products(problem, params.layer, "activation")
    scores = problem.regroup(np.maximum(products, 0.0))
    warnings = () if scores.any() else ("every activation speaks against the target at this layer: all scores are 0",)
    signed = problem.regroup(products).tolist()
    diagnostics = {"special_share": special_share(problem, products), "signed_scores": signed}
    return Scored(scores, layer=params.layer, diagnostics=diagnostics, warnings=warnings)


SIMPLE = Method(
    name="simple",
    summary="Gradient of the loss at each token, as shares of their sum: how much a token matters, not which way.",
    group="gradients",
    params=SimpleParams,
    opening=_open_simple,
    run=_simple,
    promise=one_of_each,
    cost="1 forward, 1 backward",
    source="Simonyan et al. 2014; as in AllenNLP Interpret (Wallace et al. 2019), simple gradient",
    formula="φ_i = Σ_(j∈i) a_j;  a_j = |⟨∂L/∂E_j, E_j⟩| / Σ_m |⟨∂L/∂E_m, E_m⟩|,  L = -log p",
    reading="As AllenNLP Interpret computes it; variant=l1 is what its prose says.",
    needs=frozenset({"gradients", "probabilities"}),
    scale=the_loss,
    signed=False,
    caveats=(
        "Always explains the loss, -log p of the target, whatever scale is asked for: the result's scale is loss.",
        "Shares are of all positions, special tokens included, so the scores of the text add up to less than 1.",
        "variant=allennlp is gradient times embedding, as the code computes it; the prose says the gradient's l1 norm.",
        LOCAL,
    ),
)

GRAD_L2 = Method(
    name="grad-l2",
    summary="Euclidean length of the target's gradient at each word embedding: how sensitive, not which way.",
    group="gradients",
    params=GradL2Params,
    opening=_open_l2,
    run=_grad_l2,
    promise=one_of_each,
    cost="1 forward, 1 backward",
    source="Simonyan et al. 2014; Li et al. 2016 (word embeddings, before positions and LayerNorm)",
    formula="φ_i = Σ_(j∈i) ‖∂F/∂E_j‖₂",
    reading="The papers': the length of the gradient. Ours: the sum over a word's tokens.",
    needs=frozenset({"gradients"}),
    targets=tuple(kind for kind in KINDS if kind != "contrast-continuation"),
    signed=False,
    caveats=("The embedding itself takes no part: rare words with small embeddings can look important.", LOCAL),
)

INPUT_X_GRADIENT = Method(
    name="input-x-gradient",
    summary="Gradient of the target times the word embedding, summed over its dimensions.",
    group="gradients",
    params=InputXGradientParams,
    opening=_open_input,
    run=_input_x_gradient,
    promise=one_of_each,
    cost="1 forward, 1 backward",
    source="Shrikumar et al. 2016 (word embeddings, before positions and LayerNorm); norm=l2: Kariyappa et al. 2024",
    formula="φ_i = Σ_(j∈i) ⟨∂F/∂E_j, E_j⟩;  norm=l2: Σ_(j∈i) ‖∂F/∂E_j ∘ E_j‖₂",
    reading="The papers': both forms."
    " Ours: E are word embeddings, before positions and norms, and a word is the sum of its tokens.",
    needs=frozenset({"gradients"}),
    caveats=("Local: it says what an infinitesimal scaling of a word would do, and saturates with the model.",),
)

GRAD_X_ACTIVATION = Method(
    name="grad-x-activation",
    summary="Gradient of the target times the activation at one layer, summed over its dimensions, with its sign.",
    group="gradients",
    params=GradXActivationParams,
    opening=_open_layer,
    run=_grad_x_activation,
    promise=one_of_each,
    cost="1 forward, 1 backward",
    source="LayerGradientXActivation of Captum and Thermostat (Feldhus et al. 2021), at the embedding block",
    formula="φ_i = Σ_(j∈i) ⟨∂F/∂h_j, h_j⟩",
    reading="As the packages compute it; layers above the embedding block are an addition.",
    needs=frozenset({"gradients", "layers"}),
    caveats=("Above layer 0 a position is no longer its own word: use decoded-grad-cam there.", LOCAL),
)

GRAD_CAM = Method(
    name="grad-cam",
    summary="Positive part of gradient times activation at one layer, without decoding.",
    group="decoded layer saliency",
    params=GradCamParams,
    opening=_open_layer,
    run=_grad_cam,
    promise=one_of_each,
    cost="1 forward, 1 backward",
    source="Hou & Castanon, ICML 2023, the vanilla baseline at layer 0",
    formula="φ_i = Σ_(j∈i) max(0, ⟨∂F/∂h_j, h_j⟩)",
    reading="The paper's: its layer-0 baseline, without means over positions (the Grad-CAM of images has them).",
    needs=frozenset({"gradients", "layers"}),
    signed=False,
    caveats=("Above layer 0 a position is no longer its own word: use decoded-grad-cam there.",),
)
