"""Fits alone, against other solvers and against the conditions that define them."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.linalg import lstsq

from saliscope.explainers.families.fits import closed_form, fit_path, least_squares, nearness
from saliscope.explainers.families.sparse_fits import dantzig, fit_sparse, lasso, runs, soft, total_variation


def data(rows: int, n: int, seed: int = 0, noise: float = 0.5) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    z, truth = rng.normal(size=(rows, n)) * 0.5, rng.normal(size=n)
    return z, z @ truth + noise * rng.normal(size=rows), truth


def moments(z: Any, y: Any) -> tuple[Any, Any]:
    return z.T @ z / len(y), z.T @ y / len(y)


# -- full fits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "n"), [(40, 7), (9, 7), (7, 7), (4, 7), (1, 1), (5, 1)])
def test_least_squares_is_scipys_for_many_rows_and_for_few(rows: int, n: int) -> None:
    z, y, _ = data(rows, n)
    fit = least_squares(z, y)
    np.testing.assert_allclose(fit.scores, lstsq(z, y)[0], rtol=1e-5, atol=1e-6)
    assert (fit.stderr is None) == (rows <= n)


def test_least_squares_with_one_feature_is_a_ratio_of_sums() -> None:
    z, y, _ = data(12, 1)
    assert least_squares(z, y).scores[0] == pytest.approx((z[:, 0] @ y) / (z[:, 0] @ z[:, 0]), rel=1e-8)


def test_standard_errors_of_even_noise_are_those_of_a_linear_regression() -> None:
    z, y, _ = data(3000, 4)
    fit = least_squares(z, y)
    residual = y - z @ lstsq(z, y)[0]
    covariance = residual @ residual / (3000 - 4) * np.linalg.inv(z.T @ z)
    assert fit.stderr is not None
    np.testing.assert_allclose(fit.stderr, np.sqrt(np.diag(covariance)), rtol=0.05)
    assert fit.r2 == pytest.approx(1 - residual @ residual / (y @ y))


def test_standard_errors_are_the_jackknifes() -> None:
    z, y, _ = data(30, 3)
    without = np.asarray([lstsq(np.delete(z, row, 0), np.delete(y, row))[0] for row in range(30)])
    fit = least_squares(z, y)
    np.testing.assert_allclose(fit.stderr, np.sqrt(np.square(without - fit.scores).sum(axis=0)), rtol=1e-6)


@pytest.mark.parametrize("estimator", ["ls", "closed", "weighted"])
def test_standard_errors_tell_how_far_estimates_of_other_draws_lie(estimator: Any) -> None:
    scores, errors = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(1, 60, 3)) * 0.8
        fit = fit_path(z, np.sin(2 * z[..., 0]) + z[..., 1] ** 3, estimator, 0.64)
        scores.append(fit.scores)
        errors.append(fit.stderr)
    ratio = np.mean(errors, axis=0) / np.std(scores, axis=0)
    assert (ratio > 0.6).all()
    assert (ratio < 1.4).all()


def test_an_intercept_takes_up_what_every_row_shares() -> None:
    z, y, truth = data(50, 4, noise=0.0)
    np.testing.assert_allclose(least_squares(z, y + 3.0, intercept=True).scores, truth, atol=1e-8)
    assert np.abs(least_squares(z, y + 3.0).scores - truth).max() > 0.1


def test_weights_pull_the_fit_to_the_near_draws() -> None:
    z = np.random.default_rng(0).normal(size=(500, 1)) * 3
    y = np.sin(z[:, 0])
    near = least_squares(z, y, nearness(z, 0.3)).scores[0]
    assert abs(near - 1) < 0.1 < abs(least_squares(z, y).scores[0] - 1)


def test_the_closed_form_converges_to_the_fit_but_never_beats_it_on_its_own_draws() -> None:
    gaps = []
    for rows in (100, 10_000):
        z, y, _ = data(rows, 5, noise=0.1)
        closed, fitted = closed_form(z, y, 0.25), least_squares(z, y)
        assert fitted.residual <= closed.residual
        gaps.append(np.abs(closed.scores - fitted.scores).max())
    assert gaps[1] < gaps[0] / 3


# -- one scheme, many methods ---------------------------------------------------------------------


def test_one_move_a_feature_is_occlusion() -> None:
    game = np.random.default_rng(3).normal(size=2**4)
    alone = [game[15] - game[15 - 2**i] for i in range(4)]
    fit = least_squares(-np.eye(4), np.asarray([game[15 - 2**i] - game[15] for i in range(4)]))
    np.testing.assert_allclose(fit.scores, alone, atol=1e-8)


def test_binary_moves_with_kernel_weights_and_an_intercept_are_lime() -> None:
    rng = np.random.default_rng(4)
    masks = rng.integers(0, 2, size=(80, 5))
    y, weights = rng.normal(size=80), np.exp(-((masks == 0).mean(axis=1) ** 2) / 0.25**2)
    design = np.sqrt(weights)[:, None] * np.column_stack([masks, np.ones(80)])
    lime = lstsq(design, np.sqrt(weights) * y)[0][:5]
    np.testing.assert_allclose(least_squares(masks - 1.0, y, weights, intercept=True).scores, lime, atol=1e-6)


def test_binary_moves_with_the_shapley_kernel_are_shapley_values() -> None:
    n, game = 4, np.random.default_rng(5).normal(size=2**4)
    masks = np.asarray(list(product([0, 1], repeat=n)))
    value = game[masks @ (1 << np.arange(n))]
    size = masks.sum(axis=1)
    inner = (size > 0) & (size < n)
    kernel = [(n - 1) / (math.comb(n, s) * s * (n - s)) if 0 < s < n else 1e6 for s in size]
    whole = value[size == n][0]
    fit = least_squares(masks - 1.0, value - whole, np.asarray(kernel))
    shapley = np.zeros(n)
    for i in range(n):
        for mask, v in zip(masks, value, strict=True):
            if not mask[i]:
                s = int(mask.sum())
                more = value[(masks == mask + np.eye(n, dtype=int)[i]).all(axis=1)][0]
                shapley[i] += (more - v) * math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n)
    assert inner.sum() == 2**n - 2
    np.testing.assert_allclose(fit.scores, shapley, atol=1e-4)


# -- sparse fits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", [0.0, 0.1, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("size", [1e-8, 1.0, 1e5])
def test_soft_thresholds_are_the_linear_programme_for_uncorrelated_moves(lam: float, size: float) -> None:
    correlations = np.random.default_rng(6).normal(size=9) * size
    programme = dantzig(0.25 * np.eye(9), correlations, lam)
    np.testing.assert_allclose(soft(0.25, correlations, lam), programme, rtol=1e-6, atol=1e-6 * size)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lam", [0.05, 0.3])
def test_the_dantzig_selector_is_feasible_and_no_longer_than_the_lasso(seed: int, lam: float) -> None:
    gram, correlations = moments(*data(60, 12, seed)[:2])
    bound = lam * np.abs(correlations).max() * (1 + 1e-6)
    selected, shrunk = dantzig(gram, correlations, lam), lasso(gram, correlations, lam)
    for g in (selected, shrunk):
        assert np.abs(correlations - gram @ g).max() <= bound
    assert np.abs(selected).sum() <= np.abs(shrunk).sum() * (1 + 1e-6)


@pytest.mark.parametrize("rows", [80, 6])
@pytest.mark.parametrize("lam", [0.9, 0.2, 1e-3, 1e-6])
@pytest.mark.parametrize("alike", [0.0, 0.95])
def test_the_lasso_meets_its_optimality_conditions(rows: int, lam: float, alike: float) -> None:
    z, y, _ = data(rows, 12)
    gram, correlations = moments(z + alike * 10 * z[:, :1], y)
    g, threshold = lasso(gram, correlations, lam), lam * np.abs(correlations).max()
    left = correlations - gram @ g
    np.testing.assert_allclose(left[g != 0], threshold * np.sign(g[g != 0]), rtol=1e-4, atol=1e-12)
    assert (np.abs(left[g == 0]) <= threshold * (1 + 1e-4)).all()
    assert 0 < np.count_nonzero(g) <= min(rows, 12)
    if lam == 0.2:
        assert np.count_nonzero(g) < 12


def test_the_lasso_of_features_that_do_not_touch_shrinks_and_cuts_each() -> None:
    gram, correlations = np.diag([1.0, 2.0, 4.0]), np.array([3.0, -1.0, 0.5])
    np.testing.assert_allclose(lasso(gram, correlations, 0.25), [2.25, -0.125, 0.0], atol=1e-12)


def test_total_variation_is_feasible_and_turns_less_than_the_full_fit() -> None:
    z, y, _ = data(80, 10)
    gram, correlations = moments(z, y)
    steps = np.diff(np.eye(10), axis=0)
    project = np.linalg.pinv(steps).T
    g = total_variation(gram, correlations, 0.2)
    flat = correlations - gram.sum(axis=1) * correlations.sum() / gram.sum()
    assert np.abs(project @ (correlations - gram @ g)).max() <= 0.2 * np.abs(project @ flat).max() * (1 + 1e-6)
    assert (correlations - gram @ g).sum() == pytest.approx(0, abs=1e-7)
    assert np.abs(steps @ g).sum() < np.abs(steps @ least_squares(z, y).scores).sum()


@pytest.mark.parametrize("programme", [dantzig, lasso, total_variation])
@pytest.mark.parametrize("n", [1, 2, 8])
def test_without_a_penalty_every_programme_is_least_squares(programme: Any, n: int) -> None:
    z, y, _ = data(40, n)
    np.testing.assert_allclose(programme(*moments(z, y), 0.0), least_squares(z, y).scores, atol=1e-6)


def test_planted_runs_come_back_with_total_variation() -> None:
    truth = np.repeat([0.0, 2.0, -1.0], [4, 3, 5])
    z = np.random.default_rng(7).normal(size=(200, 12))
    fit = fit_sparse(z, z @ truth, "tv", 1.0, 0.1, k=3, debias=True)
    np.testing.assert_allclose(fit.scores, truth, atol=1e-6)
    assert runs(fit.scores).shape == (12, 3)


@pytest.mark.parametrize("penalty", ["soft", "dantzig", "lasso"])
def test_planted_features_come_back_with_k_and_debias(penalty: Any) -> None:
    truth = np.zeros(20)
    truth[[3, 11]] = [2.0, -1.5]
    z = np.random.default_rng(8).normal(size=(100, 20)) * 0.5
    fit = fit_sparse(z, z @ truth, penalty, 0.25, 0.1, k=2, debias=True)
    np.testing.assert_allclose(fit.scores, truth, atol=1e-6)
    assert fit.r2 == pytest.approx(1)
    shrunk = fit_sparse(z, z @ truth, penalty, 0.25, 0.1, k=2)
    assert (np.abs(shrunk.scores) <= np.abs(truth) * 1.5).all()
    assert np.flatnonzero(shrunk.scores).tolist() == [3, 11]


@pytest.mark.parametrize("penalty", ["soft", "dantzig", "lasso", "tv"])
@pytest.mark.parametrize("k", [1, 3, 7, 50])
def test_k_leaves_so_many_or_all_of_them(penalty: Any, k: int) -> None:
    z, y, _ = data(60, 10)
    fit = fit_sparse(z, y, penalty, 0.25, 0.1, k=k)
    left = runs(fit.scores).shape[1] if penalty == "tv" else np.count_nonzero(fit.scores)
    assert left == min(k, 10)


@pytest.mark.parametrize("penalty", ["soft", "dantzig", "lasso", "tv"])
def test_changes_that_are_all_zero_give_scores_that_are_all_zero(penalty: Any) -> None:
    fit = fit_sparse(np.random.default_rng(9).normal(size=(20, 4)), np.zeros(20), penalty, 1.0, 0.1, debias=True)
    assert not fit.scores.any()
    assert fit.r2 is None


@pytest.mark.parametrize("penalty", ["soft", "dantzig", "lasso"])
def test_the_full_penalty_keeps_nothing(penalty: Any) -> None:
    z, y, _ = data(30, 6)
    assert not fit_sparse(z, y, penalty, 0.25, 1.0, debias=True).scores.any()
