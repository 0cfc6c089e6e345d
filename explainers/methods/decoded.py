"""Decoded layer saliency: a layer's scores read back through the language-model head.

Hou & Castanon, "Decoding Layer Saliency in Language Transformers", ICML 2023 (arXiv 2308.05219).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.encoding import FloatArray, IntArray
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.methods.gradients import check_layer, gradient_answer, special_share
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Decoded, Decoding, Differentiate
from saliscope.explainers.registry import Method, Promise

LOW_DECODE_RATE = 0.05

Relu = Literal["inner", "outer", "none"]


class DecodedParams(msgspec.Struct):
    """Parameters of decoded Grad-CAM; the defaults are the paper's algorithm 1 without a filter."""

    layer: Annotated[int, msgspec.Meta(ge=0, description="None: about 7/12 of the depth, the paper's best")] | None = (
        None
    )
    tau: (
        Annotated[int, msgspec.Meta(ge=1, description="keep the tau best decoded input tokens per position")] | None
    ) = None
    relu: Annotated[Relu, msgspec.Meta(description="inner: algorithm 1, outer: equation 6, none: signed")] = "inner"
    split: Annotated[
        Literal["type", "occurrence"], msgspec.Meta(description="occurrence: divide a repeated token's score")
    ] = "type"
    include_special: Annotated[bool, msgspec.Meta(description="let special tokens compete for the decoded mass")] = (
        False
    )
    lens: Annotated[
        Literal["auto", "head", "input"],
        msgspec.Meta(description="auto: input embeddings for decoders without lm_head_from, else the head"),
    ] = "auto"
    lm_head_from: Annotated[str, msgspec.Meta(description="model whose language-model head to use")] | None = None


def paper_layer(num_layers: int) -> int:
    """The paper's best layer, 7 of 12, for any depth: round half up of 7L/12."""
    return max(1, math.floor(7 * num_layers / 12 + 0.5))


def decode(share: FloatArray, products: FloatArray, relu: Relu = "inner", tau: int | None = None) -> FloatArray:
    """Scores `[U]` of ids from `share [U, T]` and the positions' `products [T]` (algorithm 1 and equation 6)."""
    if tau is not None and tau < len(share):
        threshold = np.partition(share, len(share) - tau, axis=0)[len(share) - tau]
        share = np.where(share >= threshold, share, 0.0)
    wide, values = share.astype(np.float64), products.astype(np.float64)
    if relu == "inner":
        return np.asarray(wide @ np.maximum(values, 0.0), dtype=np.float32)
    scores = wide @ values
    return np.asarray(np.maximum(scores, 0.0) if relu == "outer" else scores, dtype=np.float32)


def _layer(asked: Asked, params: DecodedParams) -> int:
    return paper_layer(asked.facts.num_layers) if params.layer is None else check_layer(asked, params.layer)


def _lens(asked: Asked, params: DecodedParams) -> Literal["head", "input"]:
    lent = params.lm_head_from is not None
    if params.lens == "input" and lent:
        raise BadRequest("params: lens=input reads with the model's own embeddings, so lm_head_from has no part in it")
    if params.lens != "auto":
        return params.lens
    return "input" if "causal" in asked.facts.capabilities and not lent else "head"


def _open(asked: Asked, params: DecodedParams) -> Differentiate:
    decoding = Decoding(_lens(asked, params), params.lm_head_from)
    return Differentiate(asked.encoding, asked.scalar, (_layer(asked, params),), decoding)


def _promise(asked: Asked, params: DecodedParams) -> Promise:
    return Promise(1, 1)


def _run(problem: Problem, params: DecodedParams) -> Scored:
    answer = gradient_answer(problem)
    layer, lens = _layer(problem.asked, params), _lens(problem.asked, params)
    decoded, products = answer.decoded[layer], answer.inner[layer]
    causal = "causal" in problem.facts.capabilities
    share = _shares(problem, decoded, params, causal)
    scores = _per_feature(problem, decoded.unique, decode(share, products, params.relu, params.tau), products, params)
    signed = _per_feature(problem, decoded.unique, decode(share, products, "none", params.tau), products, params)
    return Scored(
        scores,
        value=answer.value,
        layer=layer,
        params={"layer": layer, "lens": lens},
        diagnostics={
            "head": decoded.head,
            "decode_rate": decoded.rate,
            "special_share": special_share(problem, products),
            "signed_scores": signed.tolist(),
        },
        warnings=_warnings(problem, decoded, scores, layer, causal),
    )


def _shares(problem: Problem, decoded: Decoded, params: DecodedParams, causal: bool) -> FloatArray:
    """`share [U, T]` without what must not count: special ids, an attention sink, tokens still to come."""
    share, ids = decoded.share.copy(), problem.encoding.ids
    if not params.include_special:
        text_ids = ids[~problem.encoding.special]
        share[~np.isin(decoded.unique, text_ids)] = 0.0
    if causal:
        first = {int(token): int(np.argmax(ids == token)) for token in decoded.unique}
        for row, token in enumerate(decoded.unique):
            share[row, : first[int(token)]] = 0.0
        if problem.encoding.special[0]:
            share[:, 0] = 0.0
    return share


def _per_feature(
    problem: Problem, unique: IntArray, by_type: FloatArray, products: FloatArray, params: DecodedParams
) -> FloatArray:
    """Scores of ids spread over their positions, then summed over the features."""
    ids = problem.encoding.ids
    where = np.searchsorted(unique, ids)
    per_position = by_type[where].astype(np.float64)
    if params.split == "occurrence":
        weight = np.abs(products).astype(np.float64)
        weight[problem.encoding.special] = 0.0
        total = np.bincount(where, weights=weight, minlength=len(unique))
        count = np.bincount(where, weights=(~problem.encoding.special).astype(np.float64), minlength=len(unique))
        even = 1.0 / np.maximum(count[where], 1.0)
        per_position *= np.where(total[where] > 0, weight / np.maximum(total[where], 1e-300), even)
    return problem.regroup(per_position.astype(np.float32))


def _warnings(problem: Problem, decoded: Decoded, scores: FloatArray, layer: int, causal: bool) -> tuple[str, ...]:
    found = []
    if decoded.rate < LOW_DECODE_RATE:
        found.append(f"decode rate {decoded.rate:.3f} at layer {layer}: the head cannot read it, the map is noise")
    if layer == problem.facts.num_layers:
        found.append("at the last layer only the pooled position has a gradient: all scores come from it")
    if not scores.any():
        found.append("no position supports the target at this layer: all scores are 0; relu=none shows the signs")
    if causal:
        found.append("experimental on decoders: the method was published for encoders")
    if decoded.head == "embedding":
        found.append("no language-model head was found: positions are read with the input embeddings instead")
    return tuple(found)


DECODED_GRAD_CAM = Method(
    name="decoded-grad-cam",
    summary="Grad-CAM at a middle layer, each position read back as words by the language-model head.",
    group="decoded layer saliency",
    params=DecodedParams,
    opening=_open,
    run=_run,
    promise=_promise,
    cost="1 forward, 1 backward, 1 head",
    source="Hou & Castanon, ICML 2023, algorithm 1 and equation 6",
    needs=frozenset({"gradients", "layers", "readable"}),
    lenders={"lm_head_from": "readable"},
    targets=("class",),
    signed=False,
    caveats=(
        "Repeated tokens share one score unless split=occurrence.",
        "Only as good as the head reads the layer: see decode_rate in the diagnostics.",
    ),
)
