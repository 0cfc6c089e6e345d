"""Standard errors of Kernel SHAP and LIME: as large as what another seed changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliscope.explainers.families.pairs import draw_pairs, left_to_chance, num_pairs
from saliscope.explainers.families.surrogates import ridge_fit
from tests.explainers.fakes import FakeModel, linear_game
from tests.explainers.games import ask, smooth_game, words

SEEDS = range(60)


def _runs(method: str, count: int, **params: Any) -> tuple[Any, Any]:
    """Scores and standard errors `[seeds, n]`."""
    outputs = [
        ask(FakeModel(smooth_game(count, 3)), words(count), method, seed=seed, **params).outputs[0] for seed in SEEDS
    ]
    return np.asarray([one.scores for one in outputs]), np.asarray([one.stderr for one in outputs])


@pytest.mark.parametrize(
    ("method", "count", "params"),
    [
        ("kernel-shap", 12, {"samples": 200}),
        ("kernel-shap", 12, {"samples": 1000}),
        ("kernel-shap", 20, {"samples": 400}),
        ("lime", 8, {"samples": 400}),
        ("lime", 12, {"samples": 300, "kernel": "share", "hide": 0.4, "ridge": 1.0}),
    ],
)
def test_errors_are_what_another_seed_changes(method: str, count: int, params: dict[str, Any]) -> None:
    scores, errors = _runs(method, count, **params)
    ratio = np.sqrt((errors**2).mean(axis=0)) / scores.std(axis=0, ddof=1)
    assert 0.8 < np.median(ratio) < 1.25
    covered = (np.abs(scores - scores.mean(axis=0)) <= 1.96 * errors).mean()
    assert 0.9 < covered <= 0.99


def test_exact_values_have_no_error_and_too_few_rows_tell_none() -> None:
    exact = ask(FakeModel(smooth_game(7, 1)), words(7), "kernel-shap").outputs[0]
    np.testing.assert_array_equal(exact.stderr, np.zeros(7))
    for method, samples in (("kernel-shap", 20), ("lime", 10)):
        assert ask(FakeModel(linear_game(np.ones(30))), words(30), method, samples=samples).outputs[0].stderr is None


def test_errors_fall_with_the_rows() -> None:
    _, few = _runs("kernel-shap", 12, samples=100)
    _, many = _runs("kernel-shap", 12, samples=1600)
    assert (many.mean(axis=0) < 0.4 * few.mean(axis=0)).all()


@pytest.mark.parametrize(("count", "drawn"), [(3, 3), (6, 20), (7, 40), (7, 63), (10, 100)])
def test_what_is_left_to_chance_is_what_a_size_has_left(count: int, drawn: int) -> None:
    keep, _ = draw_pairs(count, drawn, 0)
    left = left_to_chance(keep)
    assert left.shape == (drawn,)
    assert ((left >= 0) & (left < 1)).all()
    # Over all sizes of which any was drawn, what is drawn and what is left are all there are.
    sizes = np.minimum(keep.sum(1), count - keep.sum(1))
    there_are = sum((sizes == size).sum() / (1 - left[sizes == size][0]) for size in np.unique(sizes))
    assert there_are <= num_pairs(count) + 1e-6
    if drawn == num_pairs(count):
        np.testing.assert_array_equal(left, 0.0)


def test_errors_are_those_of_the_textbook() -> None:
    """HC2 by its definition, with the intercept as a column."""
    rng = np.random.default_rng(0)
    design, weights = rng.random((40, 4)) < 0.5, rng.random(40)
    values = design @ [1.0, 2.0, -1.0, 0.0] + rng.normal(size=40)
    columns = np.column_stack([np.ones(40), design])
    bread = np.linalg.inv(columns.T @ (columns * weights[:, None]))
    residuals = values - columns @ bread @ (columns.T @ (weights * values))
    leverage = weights * np.einsum("bi,ij,bj->b", columns, bread, columns)
    meat = columns.T @ (columns * ((weights * residuals) ** 2 / (1 - leverage))[:, None])
    wanted = np.sqrt(np.diag(bread @ meat @ bread))[1:]
    np.testing.assert_allclose(ridge_fit(design, values, weights, 0.0).stderr, wanted, rtol=1e-9)
