"""MP-PI: exact on set functions with known Shapley values, and close to them where it draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.explainers import Question, drive
from saliscope.explainers.explaining import explaining
from saliscope.explainers.families.coalitions import class_law
from saliscope.explainers.families.passes import draw_passes, weigh
from saliscope.explainers.families.shapley_regression import Readings, regress
from tests.explainers.fakes import FakeModel, table_game
from tests.explainers.families.progressive_games import linear_game, mixed, of_game, run, words

exact = settings(deadline=None, derandomize=True, max_examples=15)


@exact
@given(n=st.integers(1, 6), seed=st.integers(0, 99), p0=st.sampled_from(["auto", "mask"]))
def test_with_every_coalition_read_the_scores_are_the_shapley_values(n: int, seed: int, p0: str) -> None:
    game = table_game(n, seed, num_classes=3)
    model = FakeModel(game, ("a", "b", "c"))
    got = run(model, words(n), budget=2 ** (n - 1), seed=seed, p0=p0)
    want = of_game(game, n)
    for output in got.outputs:
        np.testing.assert_allclose(output.scores, want[:, output.target.index], atol=1e-6)
    assert got.outputs[0].stderr is not None
    assert not got.outputs[0].stderr.any()
    assert got.diagnostics["exact"] is True
    assert got.params["sampling"] == "every"
    assert model.rows == got.cost.forward_rows == got.cost.promised_forward_rows == 2 ** (n - 1) + 1


@pytest.mark.parametrize("options", [{"preset": "paper"}, {"weights": "exact"}, {"value": "end"}, {"antithetic": True}])
def test_what_is_read_in_full_is_exact_whatever_the_options(options: dict[str, Any]) -> None:
    game = table_game(5, 3)
    got = run(FakeModel(game), words(5), budget=16, target="yes", **options)
    np.testing.assert_allclose(got.scores, of_game(game, 5)[:, 1], atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_features_are_read_in_full_by_default(n: int) -> None:
    game = table_game(n, 8)
    got = run(FakeModel(game), words(n), target=0)
    np.testing.assert_allclose(got.scores, of_game(game, n)[:, 0], atol=1e-6)
    assert got.cost.forward_rows == 2 ** (n - 1) + 1


EVERY_WAY: list[dict[str, Any]] = [
    {},
    {"antithetic": True},
    {"value": "end"},
    {"p0": "mask"},
    {"sampling": "optimal"},
    {"weights": "exact"},
    {"weights": "exact", "constraint": "shift"},
    {"weights": "uniform", "constraint": "efficiency"},
    {"weights": "class", "budget": 40},
    {"preset": "paper", "budget": 40},
    {"preset": "paper", "budget": 40, "paper_formula": True},
    {"preset": "paper", "budget": 40, "weight_cap": 90.0},
]


@pytest.mark.parametrize("options", EVERY_WAY)
def test_a_linear_function_gives_its_weights_whatever_the_options(options: dict[str, Any]) -> None:
    weights = np.random.default_rng(4).normal(size=9)
    model = FakeModel(linear_game(weights))
    got = run(model, words(9), target="yes", seed=1, **options)
    np.testing.assert_allclose(got.scores, weights, atol=2e-5)
    assert got.diagnostics["r2"] == pytest.approx(1.0, abs=1e-6)
    assert got.gap == pytest.approx(0.0, abs=1e-5)
    assert got.cost.forward_rows <= got.cost.promised_forward_rows
    assert model.rows == got.cost.forward_rows
    assert got.warnings == ()


@exact
@given(n=st.integers(5, 12), seed=st.integers(0, 99), way=st.integers(0, len(EVERY_WAY) - 1), fixed=st.integers(0, 2))
def test_scores_sum_to_the_value_less_the_empty_text(n: int, seed: int, way: int, fixed: int) -> None:
    table = np.random.default_rng(seed).normal(size=(4096, 2))

    def game(visible: Any) -> Any:
        return table[int(visible[fixed : fixed + n] @ (1 << np.arange(n)))]

    got = run(FakeModel(game, leading=fixed, trailing=fixed), words(n), seed=seed, **EVERY_WAY[way])
    assert got.base_value == pytest.approx(table[0, got.target.index], abs=1e-6)
    assert got.value == pytest.approx(table[2**n - 1, got.target.index], abs=1e-6)
    for output in got.outputs:
        change = table[2**n - 1, output.target.index] - table[0, output.target.index]
        assert output.scores.sum() == pytest.approx(change, abs=1e-4)
    assert got.cost.forward_rows <= got.cost.promised_forward_rows


@pytest.mark.parametrize("constraint", ["shift", "efficiency"])
def test_one_pass_is_single_pass_progressive_inference(constraint: str) -> None:
    game = table_game(7, 2)
    once = run(FakeModel(game), words(7), budget=1, target=1, constraint=constraint)
    question = Question(words(7), "sp-pi", target=1)
    model = FakeModel(game)
    np.testing.assert_allclose(once.scores, drive(explaining(model, question), model.answer).scores, atol=1e-5)
    assert once.cost.forward_rows == 2
    assert once.warnings == ()


def estimates(n: int, budget: int, scheme: Any, constraint: Any, seeds: int, antithetic: bool = False) -> Any:
    """Estimates `[seeds, n]` of the mixed game, its Shapley values, and the standard errors."""
    want, read = mixed(n, 5)
    full = read(np.ones((1, n), dtype=bool))[0, -1]
    fits = []
    for seed in range(seeds):
        passes = draw_passes(class_law(n), budget, np.random.default_rng(seed), antithetic)
        weights = weigh(passes, scheme)
        fits.append(regress(Readings(passes.keep, weights, read(passes.keep), np.zeros(1), full), constraint))
    return (
        np.stack([fit.scores[:, 0] for fit in fits]),
        want,
        np.stack([fit.stderr for fit in fits if fit.stderr is not None]),
    )


def error(found: Any, want: Any) -> float:
    return float(np.linalg.norm(found - want, axis=1).mean() / np.linalg.norm(want))


def test_more_passes_come_closer() -> None:
    errors = [error(*estimates(12, budget, "uniform", "shift", 10)[:2]) for budget in (6, 24, 240)]
    assert errors[0] > 1.3 * errors[1] > 1.3 * 1.3 * errors[2]
    assert errors[1] < 0.3


def test_exact_weights_win_in_the_long_run_and_lose_in_the_short() -> None:
    short = [error(*estimates(12, 24, scheme, "shift", 10)[:2]) for scheme in ("uniform", "exact")]
    long = [error(*estimates(12, 1200, scheme, "efficiency", 4)[:2]) for scheme in ("uniform", "exact")]
    assert short[0] < short[1]
    assert long[1] < 0.5 * long[0]
    assert long[1] < 0.03


@pytest.mark.parametrize("scheme", ["uniform", "exact"])
def test_standard_errors_have_the_size_of_the_scatter_over_seeds(scheme: str) -> None:
    found, _, stderr = estimates(14, 40, scheme, "shift" if scheme == "uniform" else "efficiency", 60)
    ratio = stderr.mean() / found.std(axis=0).mean()
    assert 0.5 < ratio < 1.5


def test_the_fit_is_the_one_written_out_coalition_by_coalition() -> None:
    n, rng = 7, np.random.default_rng(2)
    passes = draw_passes(class_law(n), 12, rng)
    values, full = rng.normal(size=(12, n, 2)), np.asarray([1.0, 2.0])
    empty = np.asarray([0.5, -0.5])
    weights = rng.random((12, n)) * (passes.keep & (passes.keep.cumsum(axis=1) < n))
    rows = np.stack([passes.keep[r] & (np.arange(n) <= at) for r, at in np.argwhere(weights > 0)]).astype(float)
    w, y = weights[weights > 0], values[weights > 0]
    ends = np.stack([np.zeros(n), np.ones(n)])
    design = np.hstack([np.ones((len(rows) + 2, 1)), np.vstack([rows, ends])])
    root = np.sqrt(np.append(w, [1.0, 1.0]))[:, None]
    free = np.linalg.lstsq(root * design, root * np.vstack([y, empty, full]), rcond=None)[0][1:]
    free = free + (full - empty - free.sum(axis=0)) / n
    readings = Readings(passes.keep, weights, values, empty, full)
    np.testing.assert_allclose(regress(readings, "shift").scores, free, atol=1e-6)
    root = np.sqrt(w)[:, None]
    reduced = root * (rows[:, :-1] - rows[:, -1:])
    rest = root * (y - empty - rows[:, -1:] * (full - empty))
    bound = np.linalg.lstsq(reduced, rest, rcond=None)[0]
    bound = np.vstack([bound, full - empty - bound.sum(axis=0)])
    np.testing.assert_allclose(regress(readings, "efficiency").scores, bound, atol=1e-6)


def test_features_that_no_pass_tells_apart_share_what_is_left() -> None:
    n = 4
    keep = np.asarray([[True, False, False, True]])
    weights = np.asarray([[1.0, 0.0, 0.0, 0.0]])
    values = np.ones((1, n, 1))
    fit = regress(Readings(keep, weights, values, np.zeros(1), np.full(1, 4.0)), "efficiency")
    np.testing.assert_allclose(fit.scores[:, 0], 1.0, atol=1e-6)
    assert fit.unseen == (1, 2, 3)
    assert fit.stderr is None
