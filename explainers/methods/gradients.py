"""Methods that need one gradient: `input-x-gradient` and `grad-cam`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from saliscope.explainers.errors import BadRequest
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import INPUT, Differentiate, Differentiated
from saliscope.explainers.registry import Method, Promise

ONE_OF_EACH = Promise(1, 1)


class InputXGradientParams(msgspec.Struct):
    """No parameters."""


class GradCamParams(msgspec.Struct):
    """`layer` 0 is what enters the first block, l the output of block l."""

    layer: Annotated[
        int, msgspec.Meta(ge=0, description="0: what enters the first block, l: the output of block l")
    ] = 0


def check_layer(asked: Asked, layer: int) -> int:
    """A layer of this model, or `BadRequest` with the range."""
    if layer > asked.facts.num_layers:
        raise BadRequest(f"params.layer: {layer} is out of range; {asked.facts.name} has 0 to {asked.facts.num_layers}")
    return layer


def gradient_answer(problem: Problem) -> Differentiated:
    """The opening's answer, which is the gradient itself."""
    if not isinstance(problem.opening, Differentiated):
        raise TypeError("the opening was not a gradient")
    return problem.opening


def _one_of_each(asked: Asked, params: object) -> Promise:
    return ONE_OF_EACH


def _open_input(asked: Asked, params: InputXGradientParams) -> Differentiate:
    return Differentiate(asked.encoding, asked.scalar, (INPUT,))


def _input_x_gradient(problem: Problem, params: InputXGradientParams) -> Scored:
    answer = gradient_answer(problem)
    return Scored(problem.regroup(answer.inner[INPUT]), value=answer.value)


def _open_layer(asked: Asked, params: GradCamParams) -> Differentiate:
    return Differentiate(asked.encoding, asked.scalar, (check_layer(asked, params.layer),))


def _grad_cam(problem: Problem, params: GradCamParams) -> Scored:
    answer = gradient_answer(problem)
    products = answer.inner[params.layer]
    scores = problem.regroup(np.maximum(products, 0.0))
    warnings = () if scores.any() else ("every activation speaks against the target at this layer: all scores are 0",)
    return Scored(
        scores,
        value=answer.value,
        layer=params.layer,
        diagnostics={"special_share": special_share(problem, products)},
        warnings=warnings,
    )


def special_share(problem: Problem, products: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    """The share of the absolute products that sits on special tokens."""
    total = float(np.abs(products).sum(dtype=np.float64))
    special = float(np.abs(products[problem.encoding.special]).sum(dtype=np.float64))
    return special / total if total > 0 else 0.0


INPUT_X_GRADIENT = Method(
    name="input-x-gradient",
    summary="Gradient of the target times the word embedding, summed over its dimensions.",
    group="gradients",
    params=InputXGradientParams,
    opening=_open_input,
    run=_input_x_gradient,
    promise=_one_of_each,
    cost="1 forward, 1 backward",
    source="Shrikumar et al. 2016 (word embeddings, before positions and LayerNorm)",
    needs=frozenset({"gradients"}),
    caveats=("Local: it says what an infinitesimal scaling of a word would do, and saturates with the model.",),
)

GRAD_CAM = Method(
    name="grad-cam",
    summary="Positive part of gradient times activation at one layer, without decoding.",
    group="decoded layer saliency",
    params=GradCamParams,
    opening=_open_layer,
    run=_grad_cam,
    promise=_one_of_each,
    cost="1 forward, 1 backward",
    source="Hou & Castanon, ICML 2023, the vanilla baseline at layer 0",
    needs=frozenset({"gradients", "layers"}),
    signed=False,
    caveats=("Above layer 0 a position is no longer its own word: use decoded-grad-cam there.",),
)
