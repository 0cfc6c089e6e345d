"""Kernel SHAP: exact where it can be, close elsewhere, over coalitions that are all different."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.explainers import Attribution
from saliscope.explainers.families.pairs import draw_pairs, num_pairs
from tests.explainers.fakes import FakeModel, linear_game, table_game
from tests.explainers.games import ask, shapley_values, smooth_game, words

exact = settings(deadline=None, derandomize=True, max_examples=20)


@exact
@given(count=st.integers(1, 8), seed=st.integers(0, 99))
def test_kernel_shap_of_a_short_text_is_exact(count: int, seed: int) -> None:
    game = table_game(count, seed)
    model = FakeModel(game)
    got = ask(model, words(count), "kernel-shap")
    np.testing.assert_allclose(got.scores, shapley_values(game, count), atol=1e-6)
    assert got.cost.forward_rows == got.cost.promised_forward_rows == model.rows == max(2**count, 2)
    assert got.diagnostics["exact"]


def test_kernel_shap_is_exact_up_to_ten_features_and_sampled_above() -> None:
    costs = [ask(FakeModel(linear_game(np.ones(n))), words(n), "kernel-shap").cost.forward_rows for n in (10, 11, 12)]
    assert costs == [2**10, 2**11, 2 * 12 + 2048 + 2]


def test_as_many_samples_as_there_are_coalitions_are_exact() -> None:
    game = table_game(7, 1)
    got = ask(FakeModel(game), words(7), "kernel-shap", samples=126)
    np.testing.assert_allclose(got.scores, shapley_values(game, 7), atol=1e-6)
    assert not ask(FakeModel(game), words(7), "kernel-shap", samples=124).diagnostics["exact"]


def test_the_error_of_kernel_shap_falls_with_its_rows_and_beats_random_orders() -> None:
    count = 12
    game = smooth_game(count, 5)
    truth = shapley_values(game, count)

    def error(method: str, **params: Any) -> float:
        runs = [ask(FakeModel(game), words(count), method, seed=seed, **params).scores for seed in range(6)]
        return float(np.sqrt(np.mean([(scores - truth) ** 2 for scores in runs])))

    few, many, most = (error("kernel-shap", samples=samples) for samples in (48, 200, 800))
    assert few > many > most
    assert many < error("shapley-sampling", permutations=200 // (count - 1))
    assert error("kernel-shap") < 0.02 * np.abs(truth).max()


def test_the_mean_of_sampled_values_is_the_truth() -> None:
    """Random parts of the design do not lean to any side: within four standard errors over 60 seeds."""
    game = smooth_game(8, 2)
    truth = shapley_values(game, 8)
    runs = np.stack([ask(FakeModel(game), words(8), "kernel-shap", samples=60, seed=seed).scores for seed in range(60)])
    errors = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert (np.abs(runs.mean(axis=0) - truth) < 4 * errors + 1e-3).all()


@exact
@given(count=st.integers(2, 40), share=st.floats(0.01, 1.0), seed=st.integers(0, 99))
def test_coalitions_are_all_different_and_come_without_their_complements(count: int, share: float, seed: int) -> None:
    wanted = max(1, round(share * min(num_pairs(count), 500)))
    keep, weights = draw_pairs(count, wanted, seed)
    assert keep.shape == (wanted, count)
    assert (weights > 0).all()
    seen = {row.tobytes() for row in keep} | {row.tobytes() for row in ~keep}
    assert len(seen) == 2 * wanted
    assert np.ones(count, dtype=bool).tobytes() not in seen


def test_all_coalitions_together_have_the_shapley_kernel() -> None:
    for count in (2, 3, 6, 7):
        keep, weights = draw_pairs(count, num_pairs(count), 0)
        sizes = keep.sum(axis=1)
        kernel = np.asarray([1 / (comb(count, k) * k * (count - k)) for k in sizes])
        np.testing.assert_allclose(weights / weights[0], kernel / kernel[0], rtol=1e-12)


def test_small_sizes_are_taken_whole_and_the_rest_in_proportion() -> None:
    keep, weights = draw_pairs(20, 300, 0)
    sizes = np.minimum(keep.sum(axis=1), 20 - keep.sum(axis=1))
    assert (sizes == 1).sum() == 20
    counts = [int((sizes == k).sum()) for k in range(2, 11)]
    masses = np.asarray([1 / (k * (20 - k)) / (2 if k == 10 else 1) for k in range(2, 11)])
    np.testing.assert_allclose(counts, 280 * masses / masses.sum(), atol=1.0)
    assert len(set(np.round(weights[sizes > 1], 12))) == 1
    assert weights[sizes == 1].sum() == pytest.approx(1 / 19)
    assert weights[sizes > 1].sum() == pytest.approx(masses.sum())


def test_fewer_rows_than_features_even_the_scores_out_and_say_so() -> None:
    got = ask(FakeModel(linear_game(np.arange(20.0))), words(20), "kernel-shap", samples=6)
    assert np.isfinite(got.scores).all()
    assert any("fewer rows than features" in text for text in got.warnings)
    assert got.gap == pytest.approx(0.0, abs=1e-3)


def test_partial_results_of_kernel_shap_approach_the_final_one() -> None:
    partials: list[Attribution] = []
    game = smooth_game(12, 1)
    got = ask(FakeModel(game), words(12), "kernel-shap", partials, samples=600)
    done = [part.diagnostics["done_rows"] for part in partials]
    assert done == list(range(64, 600, 64))
    gaps = [float(np.abs(part.scores - got.scores).max()) for part in partials]
    assert gaps[-1] < 0.5 * gaps[0]


def test_the_preset_of_kernel_shap_takes_25_rows() -> None:
    got = ask(FakeModel(linear_game(np.ones(30))), words(30), "kernel-shap", preset="thermostat")
    assert got.params["samples"] == 24
    assert got.cost.forward_rows == 26
