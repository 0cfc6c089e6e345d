"""Methods that read attention: `attention-last`, `attention-rollout`, `attention-flow` and `gae`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from saliscope.explainers.answers import Attended, Solved
from saliscope.explainers.errors import TooLarge
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Attend, AttentionForm, Solve
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.targets.scalar import READ_AT_ONCE
from saliscope.explainers.texts.encoding import FloatArray

CAPACITY = 1_000_000
"""Integer units of one unit of attention: maximum flows are solved in whole numbers."""

MOST_FLOW_TOKENS = 64
SINKS_PER_SOLVE = 16
MOST_NUMBERS = {"last": 1 << 27, "rollout": 1 << 27, "gae": 1 << 25, "maps": 1 << 27}
"""Layers times tokens squared at most: what a pass holds at once, for the form "gae" once a head."""


class AttentionParams(msgspec.Struct):
    """No parameters."""


def _opening(form: AttentionForm) -> Callable[[Asked, AttentionParams], Attend]:
    def open_with(asked: Asked, params: AttentionParams) -> Attend:
        length = len(asked.encoding)
        if asked.facts.num_layers * length**2 > MOST_NUMBERS[form]:
            most = int((MOST_NUMBERS[form] / asked.facts.num_layers) ** 0.5)
            raise TooLarge(f"text: attention between {length} tokens takes too much memory; explain {most} at a time")
        tokens = sum(len(feature.positions) for feature in asked.features)
        if form == "maps" and tokens > MOST_FLOW_TOKENS:
            raise TooLarge(
                f"text: maximum flows are found for at most {MOST_FLOW_TOKENS} tokens, this has {tokens}; shorten it or"
                " use attention-rollout"
            )
        return Attend(asked.encoding, asked.scalar, form)

    return open_with


def attention_answer(problem: Problem) -> Attended:
    """The opening's answer, which is attention."""
    if not isinstance(problem.opening, Attended):
        raise TypeError("the opening did not watch attention")
    return problem.opening


def _scores(problem: Problem, params: AttentionParams) -> Scored:
    answer = attention_answer(problem)
    special = float(answer.weights[problem.encoding.special].sum(dtype=np.float64))
    total = float(answer.weights.sum(dtype=np.float64))
    share = {"special_share": special / total if total > 0 else 0.0}
    warnings = () if total > 0 else ("no attention carries gradient towards the target: all scores are 0",)
    return Scored(problem.regroup(answer.weights), value=answer.value, diagnostics=share, warnings=warnings)


def _flow(problem: Problem, params: AttentionParams) -> Steps:
    answer = attention_answer(problem)
    sinks = [position for group in problem.groups for position in group]
    flows = np.zeros(len(problem.encoding), dtype=np.float32)
    for start in range(0, len(sinks), SINKS_PER_SOLVE):
        some = tuple(sinks[start : start + SINKS_PER_SOLVE])
        solved = yield Solve(maximum_flows, (answer.weights, answer.pooled, some))
        assert isinstance(solved, Solved)
        flows[list(some)] = solved.result
        progress = {"done_tokens": start + len(some), "total_tokens": len(sinks)}
        scored = Scored(problem.regroup(flows), value=answer.value, diagnostics=progress)
        if progress["done_tokens"] < len(sinks):
            yield scored
    return scored


def maximum_flows(maps: FloatArray, pooled: FloatArray, sinks: tuple[int, ...]) -> FloatArray:
    """How much can flow from the pooled positions of the top to each of `sinks` at the bottom, `[S]`, at most 1.

    `maps [L, T, T]` are mean attention weights; capacities are 0.5 (A + I) with rows summing to 1, those into the top
    `pooled [T]`.
    """
    # Imported where it is used, in a process beside the device's.
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_flow

    num_layers, length, _ = maps.shape
    layers = 0.5 * maps.astype(np.float64) + 0.5 * np.eye(length)
    layers /= layers.sum(axis=-1, keepdims=True)
    source = (num_layers + 1) * length
    capacities = csr_matrix((source + 1, source + 1), dtype=np.int32).tolil()
    # Node l T + i is position i after layer l; a flow goes down.
    for layer in range(num_layers):
        low, high = layer * length, (layer + 1) * length
        capacities[high : high + length, low : low + length] = _whole(layers[layer])
    capacities[source, num_layers * length : source] = _whole(pooled[None])
    network = capacities.tocsr()
    flows = [maximum_flow(network, source, sink).flow_value / CAPACITY for sink in sinks]
    return np.asarray(flows, dtype=np.float32)


def _whole(capacities: Any) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.rint(np.asarray(capacities, dtype=np.float64) * CAPACITY).astype(np.int32)


def _forward(asked: Asked, params: AttentionParams) -> Promise:
    return Promise(1)


def _forward_and_back(asked: Asked, params: AttentionParams) -> Promise:
    return Promise(1, 1)


POOLED = (
    "Reads the row of the position that the output is taken from: the last token of a decoder, the first of an encoder,"
    " the mean of all rows where an encoder averages."
)
NOT_TARGETED = "The same for every class: attention does not know the target."

ATTENTION_LAST = Method(
    name="attention-last",
    summary="Where the pooled position looks in the last layer, mean over heads.",
    group="attention and relevance",
    params=AttentionParams,
    opening=_opening("last"),
    run=_scores,
    promise=_forward,
    cost="1 forward with attention written out",
    source="Wiegreffe & Pinter 2019 discuss what it can tell",
    formula="φ_i = Σ_(j∈i) mean_h A_L[pooled, j]",
    reading="Common practice, no paper's method. Ours: the row is that of the position that is read.",
    needs=frozenset({"attention"}),
    targets=READ_AT_ONCE,
    signed=False,
    caveats=(POOLED, NOT_TARGETED, "Positions of the last layer are no longer their own words."),
)

ATTENTION_ROLLOUT = Method(
    name="attention-rollout",
    summary="Attention multiplied through the layers, half of each layer for the residual path.",
    group="attention and relevance",
    params=AttentionParams,
    opening=_opening("rollout"),
    run=_scores,
    promise=_forward,
    cost="1 forward with attention written out",
    source="Abnar & Zuidema, ACL 2020, attention rollout",
    formula="φ_i = Σ_(j∈i) (R_L ⋯ R_1)[pooled, j],  R_l = ½ (mean_h A_l + I)",
    reading="The paper's. Ours: the row is that of the position that is read.",
    needs=frozenset({"attention"}),
    targets=READ_AT_ONCE,
    signed=False,
    caveats=(POOLED, NOT_TARGETED, "In decoders the first positions gather attention whatever they say."),
)

ATTENTION_FLOW = Method(
    name="attention-flow",
    summary="The largest flow from the pooled position to each token through the layers' attention.",
    group="attention and relevance",
    params=AttentionParams,
    opening=_opening("maps"),
    run=_flow,
    promise=_forward,
    cost="1 forward with attention written out, n maximum flows over L T^2 edges on the CPU; at most 64 tokens",
    source="Abnar & Zuidema, ACL 2020, attention flow",
    formula="φ_i = Σ_(j∈i) maximum flow from pooled (top) to j (bottom), capacities R_l = ½ (mean_h A_l + I)",
    reading="The paper's. Ours: capacities in millionths, a sum over a word's tokens.",
    needs=frozenset({"attention"}),
    targets=READ_AT_ONCE,
    signed=False,
    caveats=(POOLED, NOT_TARGETED, "Capacities are rounded to millionths; a word's score is the sum over its tokens."),
)

GAE = Method(
    name="gae",
    summary="Attention times its gradient, positive part, gathered through the layers.",
    group="attention and relevance",
    params=AttentionParams,
    opening=_opening("gae"),
    run=_scores,
    promise=_forward_and_back,
    cost="1 forward, 1 backward with attention written out (L H T^2 numbers in memory)",
    source="Chefer, Gur & Wolf, ICCV 2021, equations 5 and 6 (self-attention)",
    formula="φ_i = Σ_(j∈i) (R - I)[pooled, j];  R ← R + mean_h max(0, A_l ∘ ∂F/∂A_l) R  from R = I, layer by layer",
    reading="The paper's: equations 5 and 6."
    " Our reading: the identity is taken off again; the paper's examples drop the pooled token.",
    needs=frozenset({"attention", "gradients"}),
    targets=READ_AT_ONCE,
    signed=False,
    caveats=(
        POOLED,
        "Our reading: the identity that relevance starts from is taken off again, not the pooled token's whole score.",
    ),
)
