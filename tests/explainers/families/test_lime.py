"""LIME: exact on linear functions, Captum's on the same rows, the same however it is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LimeBase

from saliscope.explainers import Attribution, explain
from saliscope.explainers.errors import BadRequest, NonFinite
from saliscope.explainers.families.lime import draw_rows
from saliscope.explainers.families.surrogates import fit_with_sum, invert, ridge_fit
from saliscope.explainers.queries import Evaluate
from saliscope.explainers.variants import Masked
from tests.explainers.fakes import FakeModel, linear_game
from tests.explainers.games import ask, smooth_game, words
from tests.explainers.tiny import TEXTS


@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_lime_of_a_linear_function_gives_its_weights(count: int) -> None:
    weights = np.random.default_rng(count).normal(size=count)
    got = ask(FakeModel(linear_game(weights)), words(count), "lime", ridge=0.0)
    np.testing.assert_allclose(got.scores, weights, atol=1e-5)
    assert got.diagnostics["r2"] == pytest.approx(1.0)
    assert got.diagnostics["intercept"] == pytest.approx(0.0, abs=1e-5)
    assert got.value == pytest.approx(weights.sum(), abs=1e-5)
    assert (got.base_value, got.warnings) == (None, ())


def test_the_penalty_shrinks_the_scores() -> None:
    weights = np.asarray([1.0, -2.0, 3.0])
    near, far = (ask(FakeModel(linear_game(weights)), words(3), "lime", ridge=ridge).scores for ridge in (0.01, 100.0))
    np.testing.assert_allclose(near, weights, rtol=0.01)
    assert (np.abs(far) < 0.5 * np.abs(weights)).all()


@pytest.mark.parametrize(
    "params", [{}, {"preset": "thermostat"}, {"kernel": "share", "hide": 0.5, "samples": 60, "ridge": 3.0}]
)
def test_lime_is_captums_on_the_same_rows(params: dict[str, Any]) -> None:
    """Tolerance 1e-4: Captum fits in float32."""
    from captum._utils.models.linear_model import SkLearnRidge

    count = 6
    game, model = smooth_game(count, 2), FakeModel(smooth_game(count, 2))
    got = ask(model, words(count), "lime", **params)
    rows = np.concatenate(
        [
            np.ones((1, count), dtype=bool),
            *(
                query.rows.keep
                for query in model.queries
                if isinstance(query, Evaluate) and isinstance(query.rows, Masked)
            ),
        ]
    )
    drawn = iter(torch.from_numpy(rows.astype(np.float32)))
    resolved = got.params
    share = resolved["kernel"] == "share"

    def similarity(original: Any, perturbed: Any, interpretable: Any, **_: Any) -> Any:
        hidden = float((interpretable == 0).float().mean())
        return torch.tensor(1 - hidden if share else np.exp(-((hidden / resolved["width"]) ** 2)))

    oracle = LimeBase(
        lambda z: torch.tensor([game(row)[1] for row in z.numpy().astype(bool)]),
        SkLearnRidge(alpha=resolved["ridge"]),
        similarity,
        lambda *_, **__: next(drawn)[None],
        True,
        lambda z, *_, **__: z,
        None,
    )
    wanted = oracle.attribute(torch.ones(1, count), n_samples=len(rows)).numpy()[0]
    np.testing.assert_allclose(got.scores, wanted, atol=1e-4)


def test_the_preset_draws_25_rows_and_hides_three_tenths() -> None:
    model = FakeModel(linear_game(np.ones(40)))
    got = ask(model, words(40), "lime", preset="thermostat")
    assert got.params == {
        "preset": "thermostat", "samples": 25, "hide": 0.3, "kernel": "share", "width": 0.25, "ridge": 1.0,
        "mask": "replace",
    }  # fmt: skip
    rows = model.queries[1].rows  # type: ignore[union-attr]
    assert isinstance(rows, Masked)
    assert len(rows) == 25
    assert 0.25 < (~rows.keep).mean() < 0.35
    assert any("fewer rows than features" in text for text in got.warnings)


def test_the_chance_of_hiding_is_drawn_anew_for_every_row_by_default() -> None:
    shares = draw_rows(200, 400, None, 0).mean(axis=1)
    assert shares.min() < 0.1 < 0.9 < shares.max()
    assert abs(draw_rows(200, 400, 0.25, 0).mean() - 0.75) < 0.01


@pytest.mark.parametrize(("count", "rows"), [(1, 200), (2, 200), (60, 240)])
def test_the_default_number_of_rows_is_promised_and_counted(count: int, rows: int) -> None:
    model = FakeModel(linear_game(np.ones(count)))
    got = ask(model, words(count), "lime")
    assert got.cost.forward_rows == got.cost.promised_forward_rows == model.rows == rows + 1
    assert got.params["samples"] == rows


def test_partial_results_are_fits_of_the_rows_so_far() -> None:
    partials: list[Attribution] = []
    weights = np.random.default_rng(1).normal(size=5)
    got = ask(FakeModel(linear_game(weights)), words(5), "lime", partials, ridge=0.0)
    assert [part.diagnostics["done_rows"] for part in partials] == [64, 128, 192]
    for part in [*partials, got]:
        np.testing.assert_allclose(part.scores, weights, atol=1e-5)


def test_scores_come_from_the_seed() -> None:
    first, again, other = (ask(FakeModel(smooth_game(6, 0)), words(6), "lime", seed=seed).scores for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_model_that_does_not_answer_to_words_is_said_to_be_no_line() -> None:
    def parity(visible: Any) -> Any:
        return np.asarray([0.0, float(visible.sum() % 2)])

    got = ask(FakeModel(parity), words(12), "lime", width=10.0)
    assert any("scores mean little" in text for text in got.warnings)
    flat = ask(FakeModel(linear_game(np.zeros(3))), words(3), "lime")
    assert flat.diagnostics["r2"] is None
    assert not flat.scores.any()
    assert flat.warnings == ()


def test_words_and_repeated_tokens_are_features_of_their_own() -> None:
    model = FakeModel(
        linear_game(
            [1.0, 2.0, 4.0, 8.0, 16.0],
        ),
        leading=0,
    )
    got = ask(model, "a+b a~d e", "lime", granularity="word", ridge=0.0)
    np.testing.assert_allclose(got.scores, [3.0, 12.0, 16.0], atol=1e-4)
    twice = ask(FakeModel(linear_game([1.0, 2.0, 4.0])), "so so good", "lime", ridge=0.0)
    np.testing.assert_allclose(twice.scores, [1.0, 2.0, 4.0], atol=1e-5)


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"samples": 1}, r"params\.samples: "),
        ({"hide": 1.0}, r"params\.hide: "),
        ({"hide": 0}, r"params\.hide: "),
        ({"width": 0}, r"params\.width: "),
        ({"ridge": -1}, r"params\.ridge: "),
        ({"kernel": "cosine"}, r"params\.kernel: "),
        ({"sample": 5}, r"params\.sample: lime has no such parameter"),
    ],
)
def test_bad_parameters_are_refused_with_their_path(params: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest, match=path):
        ask(FakeModel(linear_game([1.0])), "a", "lime", **params)


def test_a_row_that_is_not_finite_names_what_was_hidden() -> None:
    def game(visible: Any) -> Any:
        return np.asarray([0.0, 1.0 if visible[1] else np.nan])

    with pytest.raises(NonFinite, match=r"'w1'.* hidden"):
        ask(FakeModel(game), words(3), "lime")


@pytest.mark.parametrize("method", ["lime", "kernel-shap", "shapley-sampling", "permutation", "partition-shap"])
@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_scores_do_not_depend_on_the_micro_batch(method: str, architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    text = TEXTS[0]
    small = {"lime": {"samples": 30}, "permutation": {"repeats": 4}}.get(method, {})
    wanted = explain(model, text, method=method, **small)
    width = len(model.encode(text))
    plain, model.answer = model.answer, lambda query: plain(query, budget=width)
    try:
        alone = explain(model, text, method=method, **small)
    finally:
        model.answer = plain
    np.testing.assert_allclose(wanted.scores, alone.scores, atol=1e-5)
    assert wanted.cost.forward_rows == alone.cost.forward_rows <= alone.cost.promised_forward_rows


# -- the fits ---------------------------------------------------------------------------------------


def test_a_fit_with_fewer_rows_than_unknowns_is_the_shortest_of_the_exact_ones() -> None:
    rng = np.random.default_rng(0)
    design, values = rng.random((4, 9)) < 0.5, rng.normal(size=4)
    fit = ridge_fit(design, values, np.ones(4), 0.0)
    centred = design - design.mean(axis=0)
    wanted = np.linalg.lstsq(centred, values - values.mean(), rcond=None)[0]
    np.testing.assert_allclose(fit.coefficients, wanted, atol=1e-9)
    np.testing.assert_allclose(design @ fit.coefficients + fit.intercept, values, atol=1e-9)


def test_a_weighted_fit_is_that_of_repeated_rows() -> None:
    rng = np.random.default_rng(1)
    design, values, counts = rng.random((12, 4)) < 0.5, rng.normal(size=12), rng.integers(1, 4, 12)
    weighted = ridge_fit(design, values, counts.astype(float), 0.5)
    repeated = ridge_fit(design.repeat(counts, 0), values.repeat(counts), np.ones(counts.sum()), 0.5)
    np.testing.assert_allclose(weighted.coefficients, repeated.coefficients, atol=1e-10)
    assert weighted.intercept == pytest.approx(repeated.intercept)
    assert weighted.r2 == pytest.approx(repeated.r2)


def test_a_fit_with_a_given_sum_keeps_it_and_is_best_among_those_that_do() -> None:
    rng = np.random.default_rng(2)
    design, values, weights = rng.random((30, 5)) < 0.5, rng.normal(size=30), rng.random(30)
    fit = fit_with_sum(design, values, weights, 2.5)
    assert fit.coefficients.sum() == pytest.approx(2.5)
    best = weights @ (values - design @ fit.coefficients) ** 2
    for _ in range(50):
        step = rng.normal(size=5) * 0.1
        step -= step.mean()
        assert weights @ (values - design @ (fit.coefficients + step)) ** 2 >= best


def test_an_inverse_leaves_out_what_is_not_there_and_counts_the_rest() -> None:
    inverse, rank = invert(np.diag([4.0, 1.0, 0.0]))
    np.testing.assert_allclose(inverse, np.diag([0.25, 1.0, 0.0]))
    assert rank == 2
    assert invert(np.zeros((2, 2)))[1] == 0
