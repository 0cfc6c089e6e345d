"""Permutation importance of one text: the mean fall over replacements by other tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliscope.explainers import Attribution, explain
from saliscope.explainers.errors import BadRequest, NonFinite
from saliscope.explainers.families.replacement import draw_replacements
from saliscope.explainers.queries import Evaluate, Value
from saliscope.explainers.variants import Replaced
from tests.explainers.fakes import FakeModel, linear_game
from tests.explainers.games import ask, words
from tests.explainers.tiny import TEXTS

IDS = np.asarray([2, 10, 11, 12, 13, 14, 3], dtype=np.int64)
LETTERS = [chr(0x100 + k) for k in range(40)]
"""Words with 40 different ids."""
GROUPS = ((1,), (2, 3), (4,), (5,))


@pytest.mark.parametrize("count", [2, 5, 40])
def test_replacing_a_word_of_a_linear_function_takes_its_weight_away(count: int) -> None:
    """The function counts a word only where it stood, so any other token is worth nothing there."""
    weights = np.random.default_rng(count).normal(size=count)
    model = FakeModel(linear_game(weights))
    got = ask(model, " ".join(LETTERS[:count]), "permutation")
    np.testing.assert_allclose(got.scores, weights, atol=1e-5)
    np.testing.assert_allclose(got.outputs[0].stderr, np.zeros(count), atol=1e-6)
    assert got.cost.forward_rows == got.cost.promised_forward_rows == model.rows == 10 * count + 1


def test_each_row_replaces_one_feature_by_tokens_of_the_others() -> None:
    rows = draw_replacements(IDS, GROUPS, None, 50, 0).reshape(50, 4, 7)
    for feature, group in enumerate(GROUPS):
        inside, outside = list(group), [p for p in range(7) if p not in group]
        np.testing.assert_array_equal(rows[:, feature][:, outside], np.tile(IDS[outside], (50, 1)))
        others = [IDS[p] for other in GROUPS if other != group for p in other]
        assert set(rows[:, feature][:, inside].flat) == set(others)


def test_tokens_are_drawn_as_often_as_the_text_has_them() -> None:
    ids = np.asarray([10, 11, 11, 11], dtype=np.int64)
    rows = draw_replacements(ids, ((0,), (1,), (2,), (3,)), None, 2000, 0).reshape(2000, 4, 4)
    assert (rows[:, 0, 0] == 11).all()
    assert abs((rows[:, 1, 1] == 10).mean() - 1 / 3) < 0.05


def test_given_words_are_drawn_instead() -> None:
    rows = draw_replacements(IDS, GROUPS, (77, 78), 40, 0).reshape(40, 4, 7)
    assert set(rows[:, 1, 2:4].flat) == {77, 78}
    model = FakeModel(linear_game([1.0, 2.0]))
    got = ask(model, "so good", "permutation", words=["film"])
    (query,) = (query for query in model.queries if isinstance(query, Evaluate) and isinstance(query.rows, Replaced))
    assert isinstance(query.rows, Replaced)
    assert set(query.rows.ids[0::2, 0]) == {model.find_token("film")}
    assert got.baseline == "1 given words"


def test_a_text_of_one_feature_has_nothing_to_draw_from() -> None:
    got = ask(FakeModel(linear_game([3.0])), "word", "permutation")
    assert got.scores.tolist() == [0.0]
    assert "give words" in got.warnings[0]
    given = ask(FakeModel(linear_game([3.0])), "word", "permutation", words=["film"])
    np.testing.assert_allclose(given.scores, [3.0])
    assert given.warnings == ()


def test_scores_are_mean_falls_with_their_standard_errors(tiny_model: Any) -> None:
    model = tiny_model("bert")
    got = explain(model, TEXTS[0], method="permutation", target=1, repeats=7, seed=5)
    encoding = model.encode(TEXTS[0])
    groups = tuple(feature.positions for feature in got.features)
    rows = draw_replacements(encoding.ids, groups, None, 7, 5)
    values = model.answer(Evaluate(encoding, Value(got_scalar(got)), Replaced(rows))).values.reshape(7, -1)
    falls = got.value - values.astype(np.float64)
    np.testing.assert_allclose(got.scores, falls.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(got.outputs[0].stderr, falls.std(axis=0, ddof=1) / np.sqrt(7), atol=1e-5)


def got_scalar(got: Attribution) -> Any:
    from saliscope.explainers.targets.scalar import Scalar

    return Scalar("class", got.target.index, got.scale)  # type: ignore[arg-type]


def test_scores_come_from_the_seed(tiny_model: Any) -> None:
    model = tiny_model("gpt2")
    first, again, other = (explain(model, TEXTS[0], method="permutation", seed=seed).scores for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_words_are_found_by_the_models_own_tokenizer(tiny_model: Any) -> None:
    model = tiny_model("bert")
    got = explain(model, TEXTS[0], method="permutation", words=["wonderful", "clever"], granularity="word")
    assert np.isfinite(got.scores).all()
    with pytest.raises(BadRequest, match="gives no token"):
        explain(model, TEXTS[0], method="permutation", words=["\u200b"])


def test_partial_results_are_means_of_whole_rounds() -> None:
    partials: list[Attribution] = []
    weights = np.random.default_rng(0).normal(size=30)
    got = ask(FakeModel(linear_game(weights)), " ".join(LETTERS[:30]), "permutation", partials)
    assert [part.diagnostics["done_repeats"] for part in partials] == [2, 4, 6, 8]
    for part in [*partials, got]:
        np.testing.assert_allclose(part.scores, weights, atol=1e-5)


def test_a_repeated_word_and_fixed_tokens_keep_their_places() -> None:
    model = FakeModel(linear_game([50.0, 1.0, 2.0, 4.0, 70.0]), leading=1, trailing=1)
    got = ask(model, "so so good", "permutation", repeats=400)
    np.testing.assert_allclose(got.scores, [0.5, 1.0, 4.0], atol=0.15)


def test_a_model_without_a_mask_token_can_be_asked() -> None:
    model = FakeModel(linear_game([1.0, 2.0]), capabilities=frozenset({"class", "probabilities"}))
    np.testing.assert_allclose(ask(model, "a b", "permutation").scores, [1.0, 2.0])


def test_a_replacement_that_is_not_finite_names_the_feature() -> None:
    def game(visible: Any) -> Any:
        return np.asarray([0.0, 1.0 if visible[1] else np.inf])

    with pytest.raises(NonFinite, match="'w1' replaced"):
        ask(FakeModel(game), words(3), "permutation")


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"repeats": 0}, r"params\.repeats: "),
        ({"words": []}, r"params\.words: "),
        ({"words": [""]}, r"params\.words"),
        ({"mask": "drop"}, r"params\.mask: permutation has no such parameter"),
    ],
)
def test_bad_parameters_are_refused_with_their_path(params: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest, match=path):
        ask(FakeModel(linear_game([1.0])), "a", "permutation", **params)
