"""Layer-wise relevance propagation through transformers: `lrp`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from saliscope.explainers.answers import Reduction
from saliscope.explainers.families.layers import gradient_answer
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Differentiate
from saliscope.explainers.registry import Method, Promise
from saliscope.explainers.variants import INPUT


class LrpParams(msgspec.Struct):
    """`rule` says what propagates relevance, `aggregate` how a token's dimensions become one number."""

    rule: Annotated[
        Literal["cp-lrp", "attn-lrp"],
        msgspec.Meta(
            description="cp-lrp: attention weights and norms' denominators are constants; attn-lrp: matrix products,"
            " gated products and activations have rules as well"
        ),
    ] = "cp-lrp"
    aggregate: Annotated[
        Literal["sum", "l2"], msgspec.Meta(description="sum: signed; l2: length of the token's relevance vector")
    ] = "sum"


def _reduction(params: LrpParams) -> Reduction:
    return "activation" if params.aggregate == "sum" else "l2-activation"


def _open(asked: Asked, params: LrpParams) -> Differentiate:
    kinds: tuple[Reduction, ...] = ("activation",) if params.aggregate == "sum" else ("activation", _reduction(params))
    return Differentiate(asked.encoding, asked.scalar, (INPUT,), reductions=kinds, rule=params.rule)


def _run(problem: Problem, params: LrpParams) -> Scored:
    answer = gradient_answer(problem)
    relevance = answer.products[INPUT, "activation"][0]
    kept = float(relevance.sum(dtype="float64"))
    return Scored(
        problem.regroup(answer.products[INPUT, _reduction(params)][0]),
        value=answer.value,
        signed=params.aggregate == "sum",
        diagnostics={
            "relevance_sum": kept,
            "kept_share": kept / answer.value if answer.value else None,
            "special_sum": float(relevance[problem.encoding.special].sum(dtype="float64")),
        },
    )


def _promise(asked: Asked, params: LrpParams) -> Promise:
    return Promise(1, 1)


LRP = Method(
    name="lrp",
    summary="Relevance propagated back to the words: input times a gradient that treats attention as given.",
    group="attention and relevance",
    params=LrpParams,
    opening=_open,
    run=_run,
    promise=_promise,
    cost="1 forward, 1 backward",
    source="Ali et al., ICML 2022 (cp-lrp); Achtibat et al., ICML 2024 (attn-lrp)",
    formula="φ_i = Σ_(j∈i) ⟨E_j, ∂F/∂E_j⟩ with attention weights and the norms' denominators held constant (cp-lrp)",
    reading="The papers': both rules. Our reading: gated products and activations that are written out, see below.",
    needs=frozenset({"gradients", "rules"}),
    caveats=(
        "Scores need not sum to the value (see kept_share): biases, positions and some activations keep relevance.",
        "Our reading of gated layers: attn-lrp halves a product with an activation's output of the same shape.",
        "attn-lrp: activations that are neither modules nor GELU, SiLU, ReLU or tanh keep their plain gradient.",
        "Layer-wise relevance propagation may be covered by patents: find out before commercial use.",
    ),
)
