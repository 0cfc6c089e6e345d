"""`mase`: a linear fit to what a model answers when the embeddings of its text are moved at random.

Yang, Luo, Zhu & Jin, "MASE: Interpretable NLP Models via Model-Agnostic Saliency Estimation", 2025.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.answers import Evaluated, Solved
from saliscope.explainers.families.draws import (
    Moves,
    check_finite,
    count_draws,
    describe_reference,
    draw,
    evaluate_moves,
    open_moves,
)
from saliscope.explainers.families.fits import Estimator, Wide, fit_path
from saliscope.explainers.families.layers import state_rows
from saliscope.explainers.families.openings import read_value
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Evaluate, Moment, Solve
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.texts.encoding import FloatArray
from saliscope.explainers.variants import Moved, Noise

# Multiplications of a fit that are cheaper done at once than sent away.
SMALL_FIT = 100_000_000
NOISE_BATCHES = 10
POOR_FIT = 0.1
# Scores whose length is less than so many of their errors' are half noise: squares add up.
MOST_NOISE = 2**0.5


class MaseParams(Moves):
    """Parameters of MASE; the defaults of `sigma`, `samples` and `normalize` are ours, the paper's are not known."""

    space: Annotated[
        Literal["feature", "embedding"],
        msgspec.Meta(description="feature: one number a feature moves; embedding: noise on every dimension"),
    ] = "feature"
    estimator: Annotated[
        Estimator | None,
        msgspec.Meta(description="null: ls, in the embedding space closed; weighted: near draws count more"),
    ] = None
    bandwidth: Annotated[float, msgspec.Meta(gt=0, description="weighted: null is a draw's length")] | None = None
    intercept: Annotated[bool, msgspec.Meta(description="free the fit from the text's own value (no pairs)")] = False
    path_steps: Annotated[
        int, msgspec.Meta(ge=1, le=256, description="fits at so many points from the reference to the text, averaged")
    ] = 1
    aggregate: Annotated[
        Literal["dot", "l2", "mean-abs"] | None,
        msgspec.Meta(description="embedding space: a token's number from its gradient; null: dot with E - reference"),
    ] = None
    abs: Annotated[bool, msgspec.Meta(description="give absolute scores")] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.intercept and (self.antithetic or self.estimator == "closed"):
            raise ValueError("intercept: pairs and the closed estimator have none; add antithetic=false, estimator=ls")
        if self.bandwidth is not None and self.estimator != "weighted":
            raise ValueError("bandwidth: it is for estimator=weighted")
        if self.path_steps > 1 and (not self.antithetic or self.normalize == "unit"):
            raise ValueError("path_steps: more than one needs antithetic=true and normalize=relative or sphere")
        if self.space == "feature" and self.aggregate is not None:
            raise ValueError("aggregate: it is for space=embedding")
        if self.space == "embedding":
            self._check_embedding()

    def _check_embedding(self) -> None:
        only = {"law": "gaussian", "normalize": "relative", "layer": None, "path_steps": 1, "intercept": False}
        for name, value in only.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name}: space=embedding has only {value!r}")
        if self.estimator not in (None, "closed"):
            raise ValueError("estimator: space=embedding has too many unknowns for a fit; it has only 'closed'")


def default_rows(num_features: int) -> int:
    """Rows at one point of the path if none are asked for."""
    return max(200, 8 * num_features)


def _promise(asked: Asked, params: MaseParams) -> Promise:
    draws = count_draws(params, default_rows(len(asked.features)))
    at_reference = 1 if params.path_steps > 1 else 0
    rows = params.path_steps * draws * (2 if params.antithetic else 1)
    return Promise(1 + at_reference + rows + state_rows(params.layer))


def _run(problem: Problem, params: MaseParams) -> Steps:
    return _move_features(problem, params) if params.space == "feature" else _shake_embeddings(problem, params)


# -- one number a feature -------------------------------------------------------------------------


def _move_features(problem: Problem, params: MaseParams) -> Steps:
    value, base_value, points = read_value(problem), None, params.path_steps
    if points > 1:
        at_reference = yield from evaluate_moves(problem, params, np.full((1, len(problem.groups)), -1, np.float32))
        base_value = float(at_reference[0])
    shifts = ((np.arange(points) + 0.5) / points - 1).astype(np.float32) if points > 1 else None
    draws = draw(problem, params, count_draws(params, default_rows(len(problem.features))), shifts)
    baseline = describe_reference(problem, params)
    if not draws.active.any():
        warning = "every feature is the mask token itself: nothing can move, all scores are 0"
        nothing = np.zeros(len(problem.features), dtype=np.float32)
        return Scored(nothing, value, base_value, params.layer, baseline=baseline, warnings=(warning,))
    changes = np.zeros((points, 0))
    for start, stop in draws.chunks():
        values = yield from evaluate_moves(problem, params, draws.rows(start, stop))
        changes = np.concatenate([changes, draws.differences(values, value)], axis=1)
        z = draws.z[:, :stop]
        arguments = (z, changes, params.estimator or "ls", params.sigma**2, params.bandwidth, params.intercept)
        if z.size * z.shape[2] <= SMALL_FIT:
            fit = fit_path(*arguments)
        else:
            solved = yield Solve(fit_path, arguments)
            assert isinstance(solved, Solved)
            fit = solved.result
        scores = draws.spread_out(fit.scores)
        diagnostics = {"r2": fit.r2, "done_draws": stop * points, "total_draws": draws.num_draws * points}
        if base_value is not None:
            diagnostics["completeness_gap"] = value - base_value - float(fit.scores.sum())
        scored = Scored(
            np.abs(scores) if params.abs else scores,
            value=value,
            base_value=base_value,
            layer=params.layer,
            stderr=None if fit.stderr is None else draws.spread_out(fit.stderr),
            signed=not params.abs,
            baseline=baseline,
            params={"estimator": params.estimator or "ls", "samples": draws.num_rows},
            diagnostics=diagnostics,
            warnings=fit_warnings(fit.r2, stop, z.shape[2], fit.draws),
        )
        if stop < draws.num_draws:
            yield scored
    return scored


def fit_warnings(r2: float | None, num_draws: int, unknowns: int, effective: float) -> tuple[str, ...]:
    """What a reader must know of a fit before reading its scores; weights leave so many draws as are `effective`."""
    warnings = []
    if num_draws < unknowns:
        warnings.append(
            f"{num_draws} draws cannot tell {unknowns} features apart: give more samples or larger features"
        )
    elif effective < unknowns:
        warnings.append(
            f"the weights leave {effective:.1f} of {num_draws} draws, which cannot tell {unknowns} features apart:"
            " give a larger bandwidth or more samples"
        )
    if r2 is None:
        warnings.append("the target did not change with any move: all scores are 0")
    elif r2 < POOR_FIT:
        warnings.append(f"a linear fit explains little of what the moves do (R² {r2:.2f}): try a smaller sigma")
    return tuple(warnings)


# -- noise on every dimension ---------------------------------------------------------------------


def _shake_embeddings(problem: Problem, params: MaseParams) -> Steps:
    """A gradient without gradients: the mean of (change * noise / variance), batch after batch."""
    value = read_value(problem)
    signs = 2 if params.antithetic else 1
    draws = count_draws(params, default_rows(len(problem.features)))
    batches = np.array_split(np.arange(draws), min(NOISE_BATCHES, draws))
    seeds = np.random.default_rng(problem.asked.seed).integers(2**31, size=len(batches))
    sums: list[Wide] = []
    for batch, (members, seed) in enumerate(zip(batches, seeds, strict=True)):
        noise = Noise(params.sigma, int(seed), "norm", params.antithetic)
        still = np.zeros((len(members) * signs, len(problem.groups)), dtype=np.float32)
        rows = Moved(still, problem.groups, params.reference, noise=noise)
        answer = yield Evaluate(problem.encoding, Moment(problem.scalar, value), rows)
        assert isinstance(answer, Evaluated)
        check_finite(answer.values)
        sums.append(answer.values[0].astype(np.float64))
        sizes = np.asarray([len(one) * signs for one in batches[: batch + 1]], dtype=np.float64)
        displacement = answer.values[1].astype(np.float64)
        scores, stderr = _aggregate(problem, params, np.asarray(sums), sizes, displacement)
        scored = Scored(
            np.abs(scores) if params.abs else scores,
            value=value,
            stderr=stderr,
            signed=not params.abs and params.aggregate in (None, "dot"),
            baseline=describe_reference(problem, params),
            params={"estimator": "closed", "aggregate": params.aggregate or "dot", "samples": draws * signs},
            diagnostics={"done_draws": int(sizes.sum()) // signs, "total_draws": draws},
            warnings=_noise_warnings(scores, stderr),
        )
        if batch + 1 < len(batches):
            yield scored
    return scored


def _noise_warnings(scores: FloatArray, stderr: FloatArray | None) -> tuple[str, ...]:
    if stderr is None or np.linalg.norm(scores) > MOST_NOISE * np.linalg.norm(stderr):
        return ()
    return ("most of these scores is noise of the draws (see stderr): give many more samples, or space=feature",)


def _aggregate(
    problem: Problem, params: MaseParams, sums: Wide, sizes: Wide, displacement: Wide
) -> tuple[FloatArray, FloatArray | None]:
    """Scores `[n]` of batches `sums [b, T, K]` with `sizes [b]` rows, and, for "dot", what the batches differ by."""
    gradient = sums.sum(axis=0) / sizes.sum()
    if params.aggregate == "l2":
        return problem.regroup(np.linalg.norm(gradient, axis=-1).astype(np.float32)), None
    if params.aggregate == "mean-abs":
        return problem.regroup(np.abs(gradient).mean(axis=-1).astype(np.float32)), None
    scores = problem.regroup((gradient * displacement).sum(axis=-1))
    if len(sizes) < 2:
        return scores, None
    each = [problem.regroup((one / size * displacement).sum(axis=-1)) for one, size in zip(sums, sizes, strict=True)]
    spread = (sizes[:, None] * np.square(np.asarray(each) - scores)).sum(axis=0) / (len(sizes) - 1) / sizes.sum()
    return scores, np.sqrt(spread).astype(np.float32)


MASE = Method(
    name="mase",
    summary="How the target follows when each feature's embedding moves a random way from and towards a reference.",
    group="mase",
    params=MaseParams,
    opening=open_moves,
    run=_run,
    promise=_promise,
    cost="max(200, 8 n) + 1 forwards (samples + 1; times path_steps, and one more, with a path; at a layer two more)",
    source="Yang, Luo, Zhu & Jin 2025 (arXiv 2512.04386); the estimators follow Luo et al., ICCV 2021",
    formula="φ = argmin_g Σ_s (y_s - ⟨g, z_s⟩)²;  y_s = (F(E + z_s D) - F(E - z_s D)) / 2,"
    "  D_i = E_i - B_i,  z_s ~ N(0, σ² I)",
    reading="The paper's: linear Gaussian perturbations of the embeddings and a local linear fit."
    " Our reading: one number a feature along E - B, pairs, σ = 0.5, 8 n rows; its exact law is not known to us.",
    needs=frozenset({"mask", "embeddings"}),
    caveats=(
        "How the paper scales its perturbations, and how many it draws, is not known to us.",
        "Our reading: one number a feature, along its embedding less the reference; sigma 0.5 and 8 n rows.",
        "The scores say what moves of the size sigma do; towards sigma 0 they are gradient times (E - reference).",
        "With normalize=unit scores are for steps of equal length: they do not add up to a difference of the target.",
        "space=embedding estimates a whole gradient: it needs far more samples; in l2 and mean-abs the noise counts.",
    ),
)
