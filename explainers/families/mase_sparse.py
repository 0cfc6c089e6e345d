"""`mase-sparse`: the fit of `mase` with few features, or few runs of features, that are not zero.

Yang, Luo, Zhu & Jin, "MASE: Interpretable NLP Models via Model-Agnostic Saliency Estimation", 2025.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from saliscope.explainers.answers import Solved
from saliscope.explainers.families.draws import (
    Moves,
    count_draws,
    describe_reference,
    draw,
    evaluate_moves,
    open_moves,
)
from saliscope.explainers.families.layers import state_rows
from saliscope.explainers.families.openings import read_value
from saliscope.explainers.families.sparse_fits import Penalty, fit_sparse
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Solve
from saliscope.explainers.registry import Method, Promise, Steps

DEFAULT_LAM = 0.1


class MaseSparseParams(Moves):
    """Parameters of sparse MASE; the penalty and its strength are our choice, the paper's solver is not known."""

    penalty: Annotated[
        Penalty,
        msgspec.Meta(description="soft: shrink and cut; dantzig, lasso: use the draws' correlations; tv: equal runs"),
    ] = "soft"
    lam: Annotated[float, msgspec.Meta(ge=0, le=1, description="0 keeps all, 1 nothing; null: 0.1")] | None = None
    k: Annotated[int, msgspec.Meta(ge=1, description="how many features remain; tv: how many runs")] | None = None
    debias: Annotated[bool, msgspec.Meta(description="fit what remains again, without the penalty")] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k is not None and self.lam is not None:
            raise ValueError("k: it chooses lam; give one of them")


def default_rows(num_features: int) -> int:
    """Rows if none are asked for: enough to find what matters, fewer than a full fit needs."""
    return max(64, 2 * num_features)


def _promise(asked: Asked, params: MaseSparseParams) -> Promise:
    rows = count_draws(params, default_rows(len(asked.features))) * (2 if params.antithetic else 1)
    return Promise(1 + rows + state_rows(params.layer))


def _run(problem: Problem, params: MaseSparseParams) -> Steps:
    value, baseline = read_value(problem), describe_reference(problem, params)
    draws = draw(problem, params, count_draws(params, default_rows(len(problem.features))))
    if not draws.active.any():
        warning = "every feature is the mask token itself: nothing can move, all scores are 0"
        nothing = np.zeros(len(problem.features), dtype=np.float32)
        return Scored(nothing, value, layer=params.layer, baseline=baseline, warnings=(warning,))
    lam = DEFAULT_LAM if params.lam is None else params.lam
    changes = np.zeros((1, 0))
    for start, stop in draws.chunks():
        values = yield from evaluate_moves(problem, params, draws.rows(start, stop))
        changes = np.concatenate([changes, draws.differences(values, value)], axis=1)
        arguments = (draws.z[0, :stop], changes[0], params.penalty, params.sigma**2, lam, params.k, params.debias)
        solved = yield Solve(fit_sparse, arguments)
        assert isinstance(solved, Solved)
        fit = solved.result
        scored = Scored(
            draws.spread_out(fit.scores),
            value=value,
            layer=params.layer,
            baseline=baseline,
            params={"lam": fit.lam, "samples": draws.num_rows},
            diagnostics={
                "r2": fit.r2,
                "remaining": fit.remaining,
                # What breaks ties between features whose scores are 0.
                "correlations": draws.spread_out(fit.correlations).tolist(),
                "done_draws": stop,
                "total_draws": draws.num_draws,
            },
            warnings=() if fit.r2 is not None else ("the target did not change with any move: all scores are 0",),
        )
        if stop < draws.num_draws:
            yield scored
    return scored


MASE_SPARSE = Method(
    name="mase-sparse",
    summary="Like mase with fewer rows, leaving only the features (or runs of features) that stand out.",
    group="mase",
    params=MaseSparseParams,
    opening=open_moves,
    run=_run,
    promise=_promise,
    cost="max(64, 2 n) + 1 forwards (samples + 1; at a layer two more)"
    "; dantzig and tv solve a linear programme, with k up to 40 of them",
    source="Yang, Luo, Zhu & Jin 2025 (arXiv 2512.04386); the Dantzig form follows Luo et al., ICCV 2021",
    formula="φ_i = sign(c_i) · max(0, |c_i| - λ max|c|) / σ²;  c = mean_s z_s y_s, z and y as in mase",
    reading="The paper's: a sparse variant of the fit."
    " Our reading: all four penalties; soft is the Dantzig programme with the known covariance.",
    needs=frozenset({"mask", "embeddings"}),
    caveats=(
        "The paper's penalty and solver are not known to us: soft, dantzig, lasso, tv and lam 0.1 are our reading.",
        "What remains is shrunk towards 0 by lam: read its order, or add debias.",
        "Of two features that do the same, one may take the other's share (dantzig, lasso).",
        "tv sees no common level of the scores; it is set so that the residuals sum to 0, which is our addition.",
    ),
)
