"""Shapley and Owen values: exact against their definitions, Captum's on the same coalitions, honest about errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import ShapleyValues, ShapleyValueSampling

from saliscope.explainers import Attribution, explain
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.families.shapley import draw_orders, standard_errors
from tests.explainers.fakes import FakeModel, linear_game, table_game
from tests.explainers.games import ask, shapley_values, smooth_game, words
from tests.explainers.tiny import TEXTS

METHODS = ("kernel-shap", "shapley-sampling", "partition-shap")


# -- what all of them owe --------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2, 6, 40])
def test_the_values_of_a_linear_function_are_its_weights(method: str, count: int) -> None:
    weights = np.random.default_rng(count).normal(size=count)
    params = {"samples": 5000} if method == "partition-shap" else {}
    model = FakeModel(linear_game(weights))
    got = ask(model, words(count), method, **params)
    np.testing.assert_allclose(got.scores, weights, atol=1e-5)
    assert (got.base_value, got.warnings) == (0.0, ())
    assert got.gap == pytest.approx(0.0, abs=1e-5)
    assert got.cost.forward_rows == model.rows <= got.cost.promised_forward_rows


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("params", [{}, {"short": True}])
@pytest.mark.parametrize("count", [1, 2, 5, 14, 30])
def test_values_sum_to_the_text_less_the_empty_text(method: str, params: dict[str, Any], count: int) -> None:
    short: dict[str, dict[str, Any]] = {
        "kernel-shap": {"samples": 6}, "shapley-sampling": {"permutations": 3}, "partition-shap": {"samples": 6},
    }  # fmt: skip
    game = smooth_game(count, 3)
    partials: list[Attribution] = []
    got = ask(FakeModel(game), words(count), method, partials, **(short[method] if params else {}))
    gain = game(np.ones(count, dtype=bool))[1] - game(np.zeros(count, dtype=bool))[1]
    for part in [*partials, got]:
        assert part.scores.sum(dtype=np.float64) == pytest.approx(gain, abs=1e-4)
        assert part.value - part.base_value == pytest.approx(gain, abs=1e-5)
    assert got.cost.forward_rows <= got.cost.promised_forward_rows


@pytest.mark.parametrize("method", METHODS)
def test_scores_come_from_the_seed(method: str) -> None:
    params = {"kernel-shap": {"samples": 20}, "shapley-sampling": {"permutations": 4}}.get(method, {})
    first, again, other = (
        ask(FakeModel(smooth_game(12, 0)), words(12), method, seed=seed, **params).scores for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) is (method == "partition-shap")


@pytest.mark.parametrize("method", METHODS)
def test_words_with_their_positions_and_fixed_tokens_around(method: str) -> None:
    model = FakeModel(linear_game([50.0, 1.0, 2.0, 4.0, 8.0, 16.0, 70.0]), leading=1, trailing=1)
    got = ask(model, "a+b a~d e", method, granularity="word")
    np.testing.assert_allclose(got.scores, [3.0, 12.0, 16.0], atol=1e-5)
    assert got.base_value == 120.0


# -- shapley-sampling ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2])
def test_two_orders_are_exact_for_one_and_two_features(count: int) -> None:
    game = table_game(count, 4)
    got = ask(FakeModel(game), words(count), "shapley-sampling", permutations=2)
    np.testing.assert_allclose(got.scores, shapley_values(game, count), atol=1e-6)


def test_reversed_orders_make_games_of_pairs_exact() -> None:
    """Each pair of features meets in both orders, whatever the first order is."""
    rng = np.random.default_rng(0)
    linear, pairs = rng.normal(size=7), rng.normal(size=(7, 7))

    def game(visible: Any) -> Any:
        z = visible.astype(float)
        return np.asarray([0.0, float(linear @ z + z @ pairs @ z)])

    truth = shapley_values(game, 7)
    got = ask(FakeModel(game), words(7), "shapley-sampling", permutations=2)
    np.testing.assert_allclose(got.scores, truth, atol=1e-5)
    plain = ask(FakeModel(game), words(7), "shapley-sampling", permutations=2, antithetic=False)
    assert np.abs(plain.scores - truth).max() > 0.1


@pytest.mark.parametrize("antithetic", [True, False])
def test_standard_errors_cover_the_truth_as_often_as_they_claim(antithetic: bool) -> None:
    game = table_game(6, 3)
    truth = shapley_values(game, 6)
    inside = []
    for seed in range(40):
        got = ask(FakeModel(game), words(6), "shapley-sampling", permutations=40, antithetic=antithetic, seed=seed)
        errors = got.outputs[0].stderr
        inside.append(np.abs(got.scores - truth) < 2 * errors)
    assert 0.88 < np.mean(inside) <= 0.995


def test_standard_errors_need_two_orders_or_two_pairs() -> None:
    gains = np.asarray([[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]])
    assert standard_errors(gains[:1], antithetic=False) is None
    assert standard_errors(gains, antithetic=True) is None
    np.testing.assert_allclose(standard_errors(gains[:2], antithetic=False), [1.0, 1.0])


def test_no_coalition_is_evaluated_twice() -> None:
    model = FakeModel(table_game(4, 0))
    got = ask(model, words(4), "shapley-sampling", permutations=500)
    asked = [row.tobytes() for query in model.queries[1:] for row in model.visible(query)]  # type: ignore[arg-type]
    assert len(asked) == len(set(asked)) == 15
    assert got.cost.forward_rows == got.cost.promised_forward_rows == 16


def test_every_second_order_is_the_reverse_of_the_one_before() -> None:
    orders = draw_orders(9, 5, True, 0)
    np.testing.assert_array_equal(orders[1::2], orders[0:4:2, ::-1])
    assert len(orders) == 5
    assert all(sorted(order) == list(range(9)) for order in orders)


def test_shapley_sampling_tells_how_it_gets_on() -> None:
    partials: list[Attribution] = []
    got = ask(FakeModel(smooth_game(30, 0)), words(30), "shapley-sampling", partials)
    done = [part.diagnostics["done_permutations"] for part in partials]
    assert done == list(range(2, 26, 2))
    assert partials[0].outputs[0].stderr is None
    assert partials[-1].outputs[0].stderr is not None
    assert got.diagnostics["done_permutations"] == got.diagnostics["total_permutations"] == 26
    assert got.cost.forward_rows <= 26 * 29 + 2


def test_the_preset_of_shapley_sampling_draws_25_single_orders() -> None:
    got = ask(FakeModel(table_game(3, 0)), words(3), "shapley-sampling", preset="thermostat")
    assert (got.params["permutations"], got.params["antithetic"]) == (25, False)


# -- Captum ----------------------------------------------------------------------------------------


class Plain:
    """The plain model of a tiny folder, as Captum wants it, over the words of a text."""

    def __init__(self, model: Any, text: str) -> None:
        encoding = model.encode(text)
        self.ids = torch.from_numpy(encoding.ids)[None]
        self.mask_id = model.facts.mask_id
        self.groups = torch.full_like(self.ids, 0)
        features = explain(model, text, method="random", granularity="word").features
        for number, feature in enumerate(features):
            self.groups[0, list(feature.positions)] = number + 1
        self.positions = [feature.positions[0] for feature in features]
        self.network = model.network.model

    def outputs(self, ids: Any) -> Any:
        # Captum's feature 0 are the fixed tokens: they stay.
        ids = torch.where(self.groups == 0, self.ids, ids)
        return self.network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits

    def read(self, attributions: Any) -> Any:
        return attributions[0, self.positions].numpy()


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_kernel_shap_is_captums_exact_shapley_values(architecture: str, tiny_model: Any) -> None:
    """Tolerance 1e-4: Captum adds in float32."""
    model, text = tiny_model(architecture), "a dull film of"
    plain = Plain(model, text)
    with torch.no_grad():
        wanted = ShapleyValues(plain.outputs).attribute(
            plain.ids, baselines=plain.mask_id, target=1, feature_mask=plain.groups, perturbations_per_eval=16
        )
    got = explain(model, text, method="kernel-shap", target=1, granularity="word")
    np.testing.assert_allclose(got.scores, plain.read(wanted), atol=1e-4)


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_shapley_sampling_is_captums_on_the_same_orders(architecture: str, tiny_model: Any) -> None:
    """Tolerance 1e-4: Captum adds in float32."""
    model, text = tiny_model(architecture), TEXTS[2]
    plain = Plain(model, text)
    orders = draw_orders(len(plain.positions), 6, True, 0)

    class Oracle(ShapleyValueSampling):  # type: ignore[misc]
        def __init__(self, forward: Any) -> None:
            super().__init__(forward)
            self.permutation_generator = lambda total, count: iter([[0, *(order + 1).tolist()] for order in orders])

    with torch.no_grad():
        wanted = Oracle(plain.outputs).attribute(
            plain.ids, baselines=plain.mask_id, target=1, feature_mask=plain.groups, n_samples=6
        )
    got = explain(model, text, method="shapley-sampling", target=1, granularity="word", permutations=6)
    np.testing.assert_allclose(got.scores, plain.read(wanted), atol=1e-4)


# -- parameters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "params", "path"),
    [
        ("kernel-shap", {"samples": 1}, r"params\.samples: "),
        ("kernel-shap", {"preset": "allennlp"}, r"params\.preset: "),
        ("shapley-sampling", {"permutations": 0}, r"params\.permutations: "),
        ("shapley-sampling", {"antithetic": "yes"}, r"params\.antithetic: "),
        ("partition-shap", {"samples": 0}, r"params\.samples: "),
        ("partition-shap", {"window": 2}, r"params\.window"),
    ],
)
def test_bad_parameters_are_refused_with_their_path(method: str, params: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest, match=path):
        ask(FakeModel(linear_game([1.0])), "a", method, **params)
