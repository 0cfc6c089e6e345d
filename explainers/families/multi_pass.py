"""Multi-pass progressive inference: many masked copies of a text, each read at the end of every feature it keeps.

Kariyappa et al., "Progressive Inference: Explaining Decoder-Only Sequence Classification Models Using Intermediate
Predictions", ICML 2024. The game behind it: v(S) is the prediction right after the last feature of S with everything
outside S masked. By causality it depends on S alone, so its Shapley values can be estimated from any such readings.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal

import numpy as np

from saliscope.explainers.answers import Answer, Evaluated, Solved
from saliscope.explainers.errors import NonFinite, NotCapable, listing
from saliscope.explainers.families.coalitions import Wide, class_law
from saliscope.explainers.families.gaps import has_gaps
from saliscope.explainers.families.kept_laws import kept_law
from saliscope.explainers.families.multi_pass_plan import MpPiParams, Plan, plan
from saliscope.explainers.families.passes import Passes, draw_passes, every_pass, kernel_weights, weigh
from saliscope.explainers.families.progressive import (
    curve_and_start,
    empty_text_rows,
    feature_ends,
    read_along,
)
from saliscope.explainers.families.sampling_tables import shipped_law
from saliscope.explainers.families.shapley_regression import Fit, Readings, regress
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Along, Evaluate, Query, Solve
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.targets.scalar import READ_AT_ONCE
from saliscope.explainers.texts.encoding import BoolArray

PASSES_PER_PARTIAL = 32
LARGEST_FIT_AT_ONCE = 128
"""More features are fitted beside the device."""


def estimate(passes: Passes, values: Wide, ends: tuple[Wide, Wide], chosen: Plan, index: int, done: bool) -> Fit:
    """Scores from the passes made so far: `values [R, n, C]`, `ends` the values of nothing and of everything `[C]`.

    With all coalitions read and `done` these are the Shapley values.
    """
    constraint = chosen.constraint
    if chosen.every and done:
        weights, constraint = kernel_weights(passes.keep), "efficiency"
    else:
        weights = weigh(passes, "uniform" if chosen.every else chosen.weights, chosen.printed)
        if (weights > 0).any():
            weights = np.minimum(weights, np.percentile(weights[weights > 0], chosen.cap))
    fit = regress(Readings(passes.keep, weights, values, *ends), constraint, index)
    if chosen.every:
        return Fit(fit.scores, np.zeros(len(fit.scores)) if done else None, fit.r2, fit.unseen)
    return fit


def reading_places(keep: BoolArray, value: Literal["prefix", "end"]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """At the end of which feature each coalition is read, `[R, n]`: its last one, or the one before the next kept."""
    n = keep.shape[1]
    places = np.broadcast_to(np.arange(n), keep.shape)
    if value == "prefix":
        return places
    following = np.where(keep, places, n)
    following = np.minimum.accumulate(following[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([following[:, 1:], np.full((len(keep), 1), n)], axis=1) - 1


def _run(problem: Problem, params: MpPiParams) -> Steps:
    n = len(problem.features)
    chosen = plan(n, params)
    curve, start, baseline = yield from curve_and_start(problem, params.p0)
    wide = curve.ndim == 2
    index = problem.target.index if wide else 0
    curve, start = curve.reshape(n, -1), start.reshape(-1)
    passes = yield from _passes(problem, chosen, params.antithetic)
    ends, along = (start, curve[-1]), curve[None]
    read = Along(feature_ends(problem.asked), problem.scalar)

    rows, total = 1, len(passes.keep)
    while True:
        sofar = passes.first(rows)
        places = reading_places(sofar.keep, params.value)
        values = np.take_along_axis(along, places[:, :, None], axis=1)
        arguments = (sofar, values, ends, chosen, index, rows == total)
        fit = yield from _fit(n, arguments)
        stop = rows == total or _steady(fit, index, params.tolerance)
        scored = Scored(
            fit.scores[:, index].astype(np.float32),
            value=float(curve[-1, index]),
            base_value=float(start[index]),
            every=fit.scores.astype(np.float32) if wide else None,
            stderr=None if fit.stderr is None else fit.stderr.astype(np.float32),
            baseline=baseline,
            params=_resolved(chosen),
            diagnostics=_diagnostics(sofar, fit, chosen, rows, total, stop),
            warnings=(*chosen.warnings, *_unseen(problem, fit)) if stop else chosen.warnings,
        )
        if stop:
            return scored
        if len(fit.unseen) < n:
            yield scored
        more = passes.keep[rows : rows + PASSES_PER_PARTIAL]
        answer = yield Evaluate(problem.encoding, read, problem.keep(more))
        assert isinstance(answer, Evaluated)
        fresh = answer.values.reshape(len(more), n, -1).astype(np.float64)
        _check_finite(problem, fresh, more)
        along = np.concatenate([along, fresh])
        rows += len(more)


def _passes(problem: Problem, chosen: Plan, antithetic: bool) -> Generator[Query | Scored, Answer, Passes]:
    n, rng = len(problem.features), np.random.default_rng(problem.asked.seed)
    if chosen.every:
        return every_pass(n, rng)
    law = class_law(n)
    if chosen.sampling == "optimal":
        law = yield from _optimal_law(problem, n, chosen.printed)
    return draw_passes(law, chosen.budget, rng, antithetic)


def _optimal_law(problem: Problem, num_features: int, printed: bool) -> Generator[Query | Scored, Answer, Wide]:
    """The optimal law from the tables of the package, an earlier text of the same length or a file; else solved for."""
    law = None if printed else shipped_law(num_features)
    key = ("mp-pi law", num_features, printed)
    if law is None:
        law = problem.asked.constants.get(key)
    if law is None:
        answer = yield Solve(kept_law, (num_features, printed))
        assert isinstance(answer, Solved)
        law = answer.result
        problem.asked.constants.put(key, law)
    return np.asarray(law)


def _fit(
    num_features: int, arguments: tuple[Passes, Wide, tuple[Wide, Wide], Plan, int, bool]
) -> Generator[Query | Scored, Answer, Fit]:
    if num_features <= LARGEST_FIT_AT_ONCE:
        return estimate(*arguments)
    answer = yield Solve(estimate, arguments)
    assert isinstance(answer, Solved)
    fit: Fit = answer.result
    return fit


def _steady(fit: Fit, index: int, tolerance: float) -> bool:
    if fit.stderr is None or tolerance == 0.0:
        return False
    return bool(fit.stderr.max() <= tolerance * np.abs(fit.scores[:, index]).max())


def _resolved(chosen: Plan) -> dict[str, object]:
    if chosen.every:
        return {"budget": chosen.budget, "sampling": "every", "weights": "exact", "constraint": "efficiency"}
    return {
        "budget": chosen.budget,
        "sampling": chosen.sampling,
        "weights": chosen.weights,
        "constraint": chosen.constraint,
        "paper_formula": chosen.printed,
    }


def _diagnostics(passes: Passes, fit: Fit, chosen: Plan, rows: int, total: int, stop: bool) -> dict[str, object]:
    found: dict[str, object] = {"done_rows": rows, "total_rows": total, "draws": len(passes.drawn), "r2": fit.r2}
    found["exact"] = chosen.every and rows == total
    if stop and rows < total:
        found["stopped"] = "every standard error is within the tolerance"
    return found


def _unseen(problem: Problem, fit: Fit) -> tuple[str, ...]:
    if len(fit.unseen) < 2:
        # The two ends of the game leave one such feature no choice.
        return ()
    names = listing(repr(problem.features[i].text) for i in fit.unseen)
    return (f"no weighted pass tells {names} from the rest: these share what is left; raise the budget",)


def _check_finite(problem: Problem, values: Wide, keep: BoolArray) -> None:
    """Name what was hidden where the model breaks; a fit would spread the NaN over all features."""
    for row in np.flatnonzero(~np.isfinite(values).all(axis=(1, 2))):
        hidden = listing(repr(problem.features[i].text) for i in np.flatnonzero(~keep[row]))
        raise NonFinite(f"the model's output is not finite with {hidden} hidden; try float32 weights")


def _open(asked: Asked, params: MpPiParams) -> Evaluate:
    if has_gaps(asked):
        raise NotCapable(
            "mp-pi reads the text at the end of each feature, so all of it must be in features; kernel-shap and"
            " shapley-sampling give Shapley values with the rest left visible, sp-pi reads through it"
        )
    return read_along(asked, params)


def _promise(asked: Asked, params: MpPiParams) -> Promise:
    n = len(asked.features)
    chosen = plan(n, params)
    passes = 2 ** (n - 1) if chosen.every else chosen.budget
    return Promise(passes + empty_text_rows(asked, params.p0))


MP_PI = Method(
    name="mp-pi",
    summary="Multi-pass progressive inference: Shapley values from masked copies read at every kept feature.",
    group="progressive inference",
    params=MpPiParams,
    opening=_open,
    run=_run,
    promise=_promise,
    cost="2n forwards (one more, once per model, for the empty text)",
    source="Kariyappa et al., ICML 2024, MP-PI",
    formula="φ = argmin Σ_S w_S (v(S) - c - Σ_(i∈S) φ_i)²;"
    "  v(S) = F read after the last feature of S, the others masked",
    reading="The paper's (preset=paper): optimal law of passes, class weights, regression with fixed ends."
    " Ours: the default estimator, exact weights, and equations 14 and 17 without their off-by-one.",
    needs=frozenset({"causal", "mask"}),
    targets=READ_AT_ONCE,
    additive=True,
    presets={"paper": {"sampling": "optimal", "weights": "class"}},
    caveats=(
        "The game is the prediction right after the last kept feature, not of the masked text read to its end.",
        "value='end' comes closer to that, but is no function of the coalition alone and is averaged over passes.",
        "Our default is not the paper's: Shapley sampling, uniform least squares, free intercept, rest shared equally.",
        "The default keeps a small bias; exact weights, worth it from about 20n passes on, have none.",
        "preset='paper' has the binomials of equations 14 and 17 corrected; paper_formula=True has them as printed.",
        "The paper's class weights are biased: the tails of passes are not uniform within their class.",
        "The paper leaves open what the empty text is and whether the regression fixes the two ends; we fix them.",
        "Standard errors are over the drawing of passes: they hold no bias and are rough below n passes.",
        "They are too large where a good part of all 2^(n - 1) passes is drawn.",
        "Texts of few features, 2^(n - 1) <= budget, are read in full: the Shapley values are exact.",
        "For a next-token target it says how likely that token is right after each kept feature.",
        "On the bundled decoder it was about as faithful as kernel-shap for as many rows up to 2n, less beyond them.",
    ),
)
