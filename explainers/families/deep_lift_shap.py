"""`deep-lift-shap`: `deep-lift` averaged over several references.

Lundberg & Lee, "A Unified Approach to Interpreting Model Predictions", NeurIPS 2017 (Deep SHAP); shuffled references as
in Shrikumar et al. 2017.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import numpy as np

from saliscope.explainers.errors import BadRequest
from saliscope.explainers.families.deep_lift import PARTIAL, Contribution, averaged, contributions, pair
from saliscope.explainers.families.layers import Start, check_reference, start_layer
from saliscope.explainers.families.openings import whole_text
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Evaluate
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.texts.encoding import IntArray
from saliscope.explainers.variants import Reference, Replaced

PAIRS_PER_PARTIAL = 32
FIXED: Final[tuple[Reference, ...]] = ("mask", "mean", "zero")


class DeepLiftShapParams(msgspec.Struct):
    """At least two references in all."""

    references: Annotated[
        list[Reference],
        msgspec.Meta(max_length=4, description="fixed references: mask or pad token, mean embedding, zero"),
    ] = msgspec.field(default_factory=lambda: list(FIXED))
    shuffles: Annotated[
        int, msgspec.Meta(ge=0, le=10_000, description="more references: the text's own tokens in random order")
    ] = 0
    at: Start = "embedding"


def shuffled(ids: IntArray, groups: tuple[tuple[int, ...], ...], count: int, seed: int) -> IntArray:
    """Rows `[2 count, T]`: the text, and after each time its features' ids in another order."""
    positions = [position for group in groups for position in group]
    rng = np.random.default_rng(seed)
    rows = np.tile(ids, (2 * count, 1))
    for row in range(count):
        rows[2 * row + 1, positions] = rng.permutation(ids[positions])
    return rows


def _total(params: DeepLiftShapParams) -> int:
    return len(params.references) + params.shuffles


def _open(asked: Asked, params: DeepLiftShapParams) -> Evaluate:
    if len(set(params.references)) < len(params.references):
        raise BadRequest("params.references: each may be given once")
    if _total(params) < 2:
        raise BadRequest("params: deep-lift-shap takes the mean over at least 2 references; for one use deep-lift")
    for reference in params.references:
        check_reference(asked, reference)
    start_layer(asked, params.at)
    return whole_text(asked, params)


def _run(problem: Problem, params: DeepLiftShapParams) -> Steps:
    layer, total = start_layer(problem.asked, params.at), _total(params)
    made: list[Contribution] = []

    def report() -> Scored:
        return averaged(problem, made, layer, _named(params), total)

    for reference in params.references:
        made += yield from contributions(problem, pair(problem, reference), layer)
        if len(made) < total:
            yield report()
    rows = shuffled(problem.encoding.ids, problem.groups, params.shuffles, problem.asked.seed)
    for start in range(0, len(rows), 2 * PAIRS_PER_PARTIAL):
        own = Replaced(rows[start : start + 2 * PAIRS_PER_PARTIAL])
        made += yield from contributions(problem, own, layer)
        if len(made) < total:
            yield report()
    return report()


def _named(params: DeepLiftShapParams) -> str:
    parts = [f"every feature's embedding is {reference}" for reference in params.references]
    if params.shuffles:
        parts.append(f"{params.shuffles} times the text's tokens in random order")
    return f"mean over {_total(params)}: {'; '.join(parts)}"


def _promise(asked: Asked, params: DeepLiftShapParams) -> Promise:
    return Promise(1 + 2 * _total(params), 2 * _total(params))


DEEP_LIFT_SHAP = Method(
    name="deep-lift-shap",
    summary="deep-lift averaged over several references.",
    group="gradients",
    params=DeepLiftShapParams,
    opening=_open,
    run=_run,
    promise=_promise,
    cost="2 r + 1 forwards, 2 r backwards for r references (3)",
    source="Lundberg & Lee, NeurIPS 2017 (Deep SHAP); Shrikumar, Greenside & Kundaje, ICML 2017",
    formula="φ_i = mean_r Σ_(j∈i) ⟨E_j - B_j^r, m_j^r⟩;  m^r as in deep-lift against reference r",
    reading="The paper's: the mean over references. Ours: which references a single text has.",
    needs=frozenset({"gradients"}),
    caveats=(
        *PARTIAL,
        "The paper draws references from a data set, which a single text has not: mask, mean and zero are our choice.",
        "shuffles keeps the words and changes their order: it asks what their places do, and little of what they are.",
    ),
)
