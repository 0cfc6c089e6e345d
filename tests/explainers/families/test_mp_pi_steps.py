"""MP-PI step by step: partial estimates, stopping, what is asked, refused and resolved."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from saliscope.explainers import Attribution, Question, drive
from saliscope.explainers.errors import BadRequest, NonFinite, NotCapable
from saliscope.explainers.explaining import explaining
from saliscope.explainers.families.multi_pass import reading_places
from saliscope.explainers.families.multi_pass_plan import MpPiParams, plan
from saliscope.explainers.queries import Along, Evaluate, Solve
from saliscope.explainers.variants import Masked
from tests.explainers.fakes import ENCODER, FakeModel, table_game
from tests.explainers.families.progressive_games import linear_game, mixed, run, words

# -- steps, partial estimates, stopping -----------------------------------------------------------


def test_partial_estimates_start_with_one_pass_and_carry_standard_errors() -> None:
    n = 60
    weights = np.random.default_rng(1).normal(size=n)
    partials: list[Attribution] = []
    model = FakeModel(linear_game(weights))
    got = run(model, words(n), partials, target="yes")
    done = [part.diagnostics["done_rows"] for part in partials]
    assert done == [1, 33, 65, 97]
    assert got.diagnostics["done_rows"] == got.diagnostics["total_rows"] == 120
    np.testing.assert_allclose(partials[0].scores, weights, atol=1e-4)
    assert partials[0].outputs[0].stderr is None
    for part in [*partials[1:], got]:
        assert part.outputs[0].stderr is not None
        assert part.outputs[0].stderr.shape == (n,)
    for part in partials:
        assert part.estimate == "partial"
        assert part.cost.forward_rows == part.diagnostics["done_rows"] + 1
        assert part.gap == pytest.approx(0.0, abs=1e-4)


def test_a_class_weighted_estimate_waits_for_a_pass_that_counts() -> None:
    partials: list[Attribution] = []
    got = run(FakeModel(linear_game(np.arange(40))), words(40), partials, target="yes", preset="paper")
    assert partials
    assert all(part.scores.std() > 0 for part in [*partials, got])


def test_a_tolerance_ends_the_passes_early_and_says_so() -> None:
    n = 30
    want, read = mixed(n, 3)

    def game(visible: Any) -> Any:
        return np.asarray([0.0, float(read(visible[None])[0, -1, 0])])

    got = run(FakeModel(game), words(n), target="yes", budget=2000, tolerance=0.1, seed=2)
    stderr = got.outputs[0].stderr
    assert stderr is not None
    assert stderr.max() <= 0.1 * np.abs(got.scores).max()
    assert got.diagnostics["done_rows"] < got.diagnostics["total_rows"] == 2000
    assert "tolerance" in got.diagnostics["stopped"]
    assert got.cost.forward_rows == got.diagnostics["done_rows"] + 1 < got.cost.promised_forward_rows
    assert np.corrcoef(got.scores, want)[0, 1] > 0.95


def test_the_empty_text_is_asked_for_once_and_shared_with_sp_pi() -> None:
    model = FakeModel(linear_game(np.ones(6)))
    first = run(model, words(6))
    assert (first.cost.forward_rows, first.cost.promised_forward_rows) == (13, 13)
    drive(explaining(model, Question(words(6), "sp-pi")), model.answer)
    assert run(model, words(6)).cost.forward_rows == 12
    assert model.rows == 13 + 1 + 12
    assert run(model, words(6), p0="zero").cost.promised_forward_rows == 12


def test_every_pass_keeps_the_last_feature_and_is_read_at_the_feature_ends() -> None:
    model = FakeModel(linear_game(np.ones(12)), leading=1, trailing=2)
    run(model, "one two+ thr~ee four five six seven", granularity="word")
    passes = [query for query in model.queries if isinstance(query, Evaluate) and isinstance(query.rows, Masked)]
    assert passes
    for query in passes:
        assert isinstance(query.rows, Masked)
        assert query.rows.keep[:, -1].all()
        assert isinstance(query.read, Along)
        assert query.read.positions == (1, 3, 5, 6, 7, 8, 11)


def test_where_a_coalition_is_read() -> None:
    keep = np.asarray([[True, False, False, True, True], [False, True, True, False, True]])
    np.testing.assert_array_equal(reading_places(keep, "prefix")[0], [0, 1, 2, 3, 4])
    ends = reading_places(keep, "end")
    assert ends[0, [0, 3, 4]].tolist() == [2, 3, 4]
    assert ends[1, [1, 2, 4]].tolist() == [1, 3, 4]


def test_same_seed_same_scores_other_seed_other_passes() -> None:
    game = table_game(9, 1)
    a, b, c = (run(FakeModel(game), words(9), target=0, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.scores, b.scores)
    assert np.abs(a.scores - c.scores).max() > 1e-3


def test_laws_beyond_the_tables_are_solved_once_beside_the_device() -> None:
    model = FakeModel(linear_game(np.arange(9)))
    for _ in range(2):
        got = run(model, words(9), target="yes", preset="paper", paper_formula=True, budget=40)
        np.testing.assert_allclose(got.scores, np.arange(9), atol=1e-4)
    assert sum(isinstance(query, Solve) for query in model.queries) == 1
    run(model, words(9), preset="paper")
    assert sum(isinstance(query, Solve) for query in model.queries) == 1, "a shipped table needs no solver"
    other = FakeModel(linear_game(np.arange(66)))
    run(other, words(66), preset="paper", budget=4)
    assert sum(isinstance(query, Solve) for query in other.queries) == 1


def test_long_texts_are_fitted_beside_the_device() -> None:
    n = 140
    weights = np.random.default_rng(1).normal(size=n)
    model = FakeModel(linear_game(weights))
    got = run(model, words(n), target="yes", budget=20)
    assert any(isinstance(query, Solve) for query in model.queries)
    np.testing.assert_allclose(got.scores, weights, atol=1e-4)


def test_a_row_that_is_not_finite_is_an_error_that_names_what_was_hidden() -> None:
    def game(visible: Any) -> Any:
        return np.asarray([0.0, 1.0 if visible[1] or not visible[2] else math.nan])

    with pytest.raises(NonFinite, match=r"not finite with .*'w1'.* hidden"):
        run(FakeModel(game), words(4), target="yes")


# -- what is refused, what is resolved ------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"budget": 0}, "budget"),
        ({"budget": 2.5}, "budget"),
        ({"sampling": "kernel"}, "sampling"),
        ({"weights": "none"}, "weights"),
        ({"constraint": "sum"}, "constraint"),
        ({"tolerance": -1}, "tolerance"),
        ({"weight_cap": 20}, "weight_cap"),
        ({"value": "middle"}, "value"),
        ({"antithetic": True, "preset": "paper"}, "antithetic"),
        ({"antithetic": True, "sampling": "optimal"}, "antithetic"),
        ({"paper_formula": True}, "paper_formula"),
        ({"samples": 3}, "budget"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        run(FakeModel(linear_game(np.ones(3))), words(3), **options)


def test_an_encoder_is_refused() -> None:
    with pytest.raises(NotCapable, match="causal attention"):
        run(FakeModel(linear_game(np.ones(3)), capabilities=ENCODER), words(3))


def test_a_text_too_long_for_the_optimal_law_says_what_it_follows_instead() -> None:
    model = FakeModel(linear_game(np.ones(9)))
    got = run(model, words(9), preset="paper", optimal_up_to=8)
    assert got.params["sampling"] == "shapley"
    assert "optimal_up_to=8" in got.warnings[0]
    assert plan(65, MpPiParams(preset="paper", paper_formula=True)).printed is False
    assert plan(64, MpPiParams(preset="paper", paper_formula=True)).printed is True


def test_presets_and_the_automatic_weights_resolve_as_documented() -> None:
    default, paper = plan(20, MpPiParams()), plan(20, MpPiParams(preset="paper"))
    assert (default.budget, default.sampling, default.weights, default.constraint) == (
        40,
        "shapley",
        "uniform",
        "shift",
    )
    assert (paper.budget, paper.sampling, paper.weights, paper.constraint) == (40, "optimal", "class", "efficiency")
    assert plan(20, MpPiParams(weights="auto")).weights == "uniform"
    auto = plan(20, MpPiParams(weights="auto", budget=400))
    assert (auto.weights, auto.constraint) == ("exact", "efficiency")
    assert plan(5, MpPiParams(budget=15)).every is False
    assert plan(5, MpPiParams(budget=16)).every is True
    assert plan(4000, MpPiParams()).every is False


def test_capped_weights_change_what_few_passes_say() -> None:
    game = table_game(10, 6)
    free, capped = (run(FakeModel(game), words(10), target=1, preset="paper", weight_cap=cap) for cap in (100.0, 60.0))
    assert np.abs(free.scores - capped.scores).max() > 1e-3
