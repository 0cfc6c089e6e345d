"""`deep-lift`: slopes of the activations between a reference and the text, multiplied back to the words.

Shrikumar, Greenside & Kundaje, "Learning Important Features Through Propagating Activation Differences", ICML 2017,
the rescale rule.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import msgspec
import numpy as np

from saliscope.explainers.answers import Answer, Differentiated
from saliscope.explainers.families.layers import From, Start, check_reference, name_reference, start_layer
from saliscope.explainers.families.openings import read_value, whole_text
from saliscope.explainers.families.path import Integral, Wide
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Differentiate, Evaluate, Query
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.variants import INPUT, Layer, Moved, Reference, Replaced

TOLERANCE: Final = 0.05
PARTIAL: Final = (
    "Partial: the rule reaches functions of one number (GELU, ReLU, tanh, …), not softmax, norms and products.",
    "What it does not reach keeps its gradient at the text, so the scores need not add up.",
    "missing in the diagnostics is the share of the target's change that the scores fail to add up to.",
)

Contribution = tuple[Wide, float]


class DeepLiftParams(msgspec.Struct):
    """One reference; `deep-lift-shap` takes the mean over several."""

    reference: From = "mask"
    at: Start = "embedding"


def pair(problem: Problem, reference: Reference) -> Moved:
    """The text and its reference as two rows."""
    z = np.zeros((2, len(problem.groups)), dtype=np.float32)
    z[1] = -1.0
    return Moved(z, problem.groups, reference)


def contributions(
    problem: Problem, rows: Moved | Replaced, layer: Layer
) -> Generator[Query | Scored, Answer, list[Contribution]]:
    """For each pair of `rows` the multipliers times the differences, `[T]`, and the target at the reference."""
    answer = yield Differentiate(
        problem.encoding, problem.scalar, (layer,), reductions=("displacement",), rows=rows, rule="deep-lift"
    )
    assert isinstance(answer, Differentiated)
    products = answer.products[layer, "displacement"][::2].astype(np.float64)
    return list(zip(products, answer.values[1::2].astype(np.float64).tolist(), strict=True))


def averaged(problem: Problem, made: list[Contribution], layer: Layer, baseline: str, of: int) -> Scored:
    """Scores from the mean over the references so far, `of` how many."""
    products = np.mean([product for product, _ in made], axis=0)
    integral = Integral(products, read_value(problem), float(np.mean([base for _, base in made])), len(made))
    warnings: tuple[str, ...] = ()
    if integral.missing > TOLERANCE:
        missed = f"the scores miss {integral.missing:.0%} of the target's change"
        warnings = (f"{missed}: the rule does not reach softmax, norms and products",)
    return Scored(
        problem.regroup(products.astype(np.float32)),
        value=integral.value,
        base_value=integral.base_value,
        layer=None if layer == INPUT else layer,
        baseline=baseline,
        diagnostics={"missing": integral.missing, "done_references": len(made), "total_references": of},
        warnings=warnings,
    )


def _open(asked: Asked, params: DeepLiftParams) -> Evaluate:
    check_reference(asked, params.reference)
    start_layer(asked, params.at)
    return whole_text(asked, params)


def _run(problem: Problem, params: DeepLiftParams) -> Steps:
    layer = start_layer(problem.asked, params.at)
    made = yield from contributions(problem, pair(problem, params.reference), layer)
    return averaged(problem, made, layer, name_reference(problem.asked, params.reference), 1)


def _promise(asked: Asked, params: DeepLiftParams) -> Promise:
    return Promise(3, 2)


DEEP_LIFT = Method(
    name="deep-lift",
    summary="Differences from a reference, multiplied by the slopes of the activations between it and the text.",
    group="gradients",
    params=DeepLiftParams,
    opening=_open,
    run=_run,
    promise=_promise,
    cost="3 forwards, 2 backwards",
    source="Shrikumar, Greenside & Kundaje, ICML 2017 (rescale rule)",
    formula="φ_i = Σ_(j∈i) ⟨E_j - B_j, m_j⟩;  m = chain rule with (f(x) - f(x')) / (x - x') for an activation's f'(x)",
    reading="The paper's: the rescale rule."
    " Our reading: what the paper has no rule for (softmax, norms, products) keeps its gradient at the text.",
    needs=frozenset({"gradients"}),
    caveats=(
        *PARTIAL,
        "Scores depend on the reference: they say what the words add to it.",
        "An activation that is neither a module nor a function of torch, but written out, keeps its plain gradient.",
    ),
)
