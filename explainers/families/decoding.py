"""The decoder of layer scores: what positions say about themselves, read through a language-model head.

Hou & Castanon, "Decoding Layer Saliency in Language Transformers", ICML 2023 (arXiv 2308.05219).
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np

from saliscope.explainers.answers import Decoded
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.facts import Capability
from saliscope.explainers.families.layers import Depth, check_layer, special_share
from saliscope.explainers.problem import Asked, Problem
from saliscope.explainers.queries import Decoding
from saliscope.explainers.texts.encoding import FloatArray, IntArray

LOW_DECODE_RATE = 0.05
NEEDS: Final[frozenset[Capability]] = frozenset({"gradients", "layers", "readable"})
LENDERS: Final[dict[str, Capability]] = {"lm_head_from": "readable"}
CAVEATS: Final = (
    "Repeated tokens share one score unless split=occurrence.",
    "Only as good as the head reads the layer: see decode_rate in the diagnostics.",
)

Relu = Literal["inner", "outer", "none"]
Positive = Annotated[Relu, msgspec.Meta(description="inner: algorithm 1, outer: equation 6, none: signed")]


class DecoderParams(msgspec.Struct):
    """Which layer is decoded and how; the defaults are the paper's algorithm 1 without a filter."""

    layer: Annotated[Depth | None, msgspec.Meta(description="None: about 7/12 of the depth, the paper's best")] = None
    tau: (
        Annotated[int, msgspec.Meta(ge=1, description="keep the tau best decoded input tokens per position")] | None
    ) = None
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


def chosen_layer(asked: Asked, params: DecoderParams) -> int:
    """The layer asked for, or the paper's."""
    return paper_layer(asked.facts.num_layers) if params.layer is None else check_layer(asked, params.layer)


def decoding(asked: Asked, params: DecoderParams) -> Decoding:
    """What reads the positions."""
    return Decoding(chosen_lens(asked, params), params.lm_head_from)


def chosen_lens(asked: Asked, params: DecoderParams) -> Literal["head", "input"]:
    """The lens asked for; "auto" is the input embeddings on a decoder whose head nobody lends, else the head."""
    lent = params.lm_head_from is not None
    if params.lens == "input" and lent:
        raise BadRequest("params: lens=input reads with the model's own embeddings, so lm_head_from has no part in it")
    if params.lens != "auto":
        return params.lens
    return "input" if "causal" in asked.facts.capabilities and not lent else "head"


def read_back(
    problem: Problem, params: DecoderParams, decoded: Decoded, products: FloatArray, relu: Relu
) -> FloatArray:
    """Scores `[n]` of the features from any scores `products [T]` of a layer's positions."""
    share = _counted_shares(problem, decoded, params)
    by_type = decode(share, products, relu, params.tau)
    return _per_feature(problem, decoded.unique, by_type, products, params)


def resolved(asked: Asked, params: DecoderParams) -> dict[str, Any]:
    """The parameters that had to be chosen."""
    return {"layer": chosen_layer(asked, params), "lens": chosen_lens(asked, params)}


def diagnose(problem: Problem, params: DecoderParams, decoded: Decoded, products: FloatArray) -> dict[str, Any]:
    """Whose head it was, how well it reads, what lies on special tokens, and the scores with their signs."""
    return {
        "head": decoded.head,
        "decode_rate": decoded.rate,
        "special_share": special_share(problem, products),
        "signed_scores": read_back(problem, params, decoded, products, "none").tolist(),
    }


def decoding_warnings(problem: Problem, decoded: Decoded, scores: FloatArray, layer: int) -> tuple[str, ...]:
    """What makes these scores doubtful."""
    found = []
    if decoded.rate < LOW_DECODE_RATE:
        found.append(f"decode rate {decoded.rate:.3f} at layer {layer}: the head cannot read it, the map is noise")
    if layer == problem.facts.num_layers:
        found.append("at the last layer only the pooled position has a gradient: all scores come from it")
    if not scores.any():
        found.append("no position supports the target at this layer: all scores are 0; relu=none shows the signs")
    if "causal" in problem.facts.capabilities:
        found.append("experimental on decoders: the method was published for encoders")
    if decoded.head == "embedding":
        found.append("no language-model head was found: positions are read with the input embeddings instead")
    return tuple(found)


def _counted_shares(problem: Problem, decoded: Decoded, params: DecoderParams) -> FloatArray:
    """`share [U, T]` without what must not count: special ids, an attention sink, tokens still to come."""
    share, ids = decoded.share.copy(), problem.encoding.ids
    if not params.include_special:
        text_ids = ids[~problem.encoding.special]
        share[~np.isin(decoded.unique, text_ids)] = 0.0
    if "causal" in problem.facts.capabilities:
        first = {int(token): int(np.argmax(ids == token)) for token in decoded.unique}
        for row, token in enumerate(decoded.unique):
            share[row, : first[int(token)]] = 0.0
        if problem.encoding.special[0]:
            share[:, 0] = 0.0
    return share


def _per_feature(
    problem: Problem, unique: IntArray, by_type: FloatArray, products: FloatArray, params: DecoderParams
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
