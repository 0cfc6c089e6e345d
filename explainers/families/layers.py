"""Where gradients are taken, what they are held against there, and the numbers that several methods read off them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.answers import Differentiated
from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.problem import Asked, Problem
from saliscope.explainers.targets.scalar import Scale
from saliscope.explainers.texts.encoding import FloatArray
from saliscope.explainers.variants import INPUT, STATE_ROWS, Layer, Reference

Groups = tuple[tuple[int, ...], ...]

Depth = Annotated[int, msgspec.Meta(ge=0, description="0: what enters the first block, l: the output of block l")]
Start = Annotated[
    Literal["embedding", "embedding-block"],
    msgspec.Meta(
        description="embedding: word embeddings; embedding-block: with positions and norm, as block 1 gets them"
    ),
]
From = Annotated[
    Reference, msgspec.Meta(description="what a feature is compared with: mask or pad token, mean embedding, or zero")
]
Explained = Annotated[
    Literal["target", "loss"], msgspec.Meta(description="loss: -log p of the class, whatever scale is asked for")
]
Movable = Annotated[
    Literal["keep", "move"], msgspec.Meta(description="move: special tokens are perturbed like the others")
]
Normalise = Annotated[
    Literal["none", "l1"], msgspec.Meta(description="l1: absolute scores as shares of their sum over all positions")
]


def check_layer(asked: Asked, layer: int) -> int:
    """A layer of this model, or `BadRequest` with the range; without layers it is `NotCapable`."""
    if "layers" not in asked.facts.capabilities:
        raise NotCapable(
            f"params.layer needs blocks that can be tapped, which {asked.facts.name} lacks; leave params.layer out"
        )
    if layer > asked.facts.num_layers:
        raise BadRequest(f"params.layer: {layer} is out of range; {asked.facts.name} has 0 to {asked.facts.num_layers}")
    return layer


def start_layer(asked: Asked, start: str) -> Layer:
    """Where `start` is; a model without blocks that can be tapped has only the word embeddings, or `NotCapable`."""
    if start == "embedding":
        return INPUT
    if "layers" not in asked.facts.capabilities:
        raise NotCapable(
            f"at={start} needs blocks that can be tapped, which {asked.facts.name} lacks; at=embedding fits"
        )
    return 0


def state_rows(layer: Layer | None) -> int:
    """Rows for the states of a text and one reference at a layer; word embeddings need none."""
    return 0 if layer in (None, INPUT) else STATE_ROWS


def check_reference(asked: Asked, reference: Reference) -> Reference:
    """A reference this model has; without a token that stands for nothing, "mask" is `NotCapable`."""
    if reference == "mask" and "mask" not in asked.facts.capabilities:
        raise NotCapable(f"{asked.facts.name} has no token that stands for nothing; reference=mean or zero fits")
    return reference


def name_reference(asked: Asked, reference: Reference) -> str:
    """The reference in words."""
    return {
        "mask": f"every feature's embedding is that of {asked.facts.mask_text!r}",
        "pad": "every feature's embedding is that of the pad token",
        "mean": "every feature's embedding is the vocabulary's mean",
        "zero": "every feature's embedding is zero",
    }[reference]


def moving(problem: Problem, special: str) -> Groups:
    """What is perturbed: the features, or with "move" every position by itself."""
    if special == "move":
        return tuple((position,) for position in range(len(problem.encoding)))
    return problem.groups


def fixed_scale(of: str) -> Scale | None:
    """The scale that `of` prescribes."""
    return "loss" if of == "loss" else None


def gradient_answer(problem: Problem) -> Differentiated:
    """The opening's answer, which is the gradient itself."""
    if not isinstance(problem.opening, Differentiated):
        raise TypeError("the opening was not a gradient")
    return problem.opening


def special_share(problem: Problem, products: FloatArray) -> float:
    """The share of the absolute products `[T]` that sits on special tokens."""
    total = float(np.abs(products).sum(dtype=np.float64))
    special = float(np.abs(products[problem.encoding.special]).sum(dtype=np.float64))
    return special / total if total > 0 else 0.0


def shares(products: FloatArray) -> FloatArray:
    """Absolute products `[T]` over their sum, as AllenNLP reports them; all zero stays zero."""
    sizes = np.abs(products).astype(np.float64)
    total = sizes.sum()
    return np.asarray(sizes / total if total > 0 else sizes, dtype=np.float32)
