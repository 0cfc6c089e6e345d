"""Owen values over a hierarchy of neighbouring features, within a budget of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from saliscope.explainers import Attribution
from saliscope.explainers.families.partition import boundaries, middle_of, num_rows
from saliscope.explainers.problem import Asked
from saliscope.explainers.targets.scalar import Scalar
from tests.explainers.fakes import FakeModel, Game, linear_game, table_game
from tests.explainers.games import ask, words


def asked_of(text: str) -> Asked:
    from saliscope.explainers.texts.features import build_features

    model = FakeModel(linear_game([]))
    encoding = model.encode(text)
    features = build_features(encoding, "token")
    return Asked(model.facts, model.constants, encoding, features, Scalar("class", 1, "logit"), 0, model.find_token)


def orders_of(strengths: list[int], start: int, stop: int) -> Iterator[list[int]]:
    """Every order in which the halves of each group stay together."""
    if stop - start == 1:
        yield [start]
        return
    at = middle_of(strengths, start, stop)
    for left in orders_of(strengths, start, at):
        for right in orders_of(strengths, at, stop):
            yield left + right
            yield right + left


def owen_values(game: Game, strengths: list[int]) -> Any:
    gains = []
    for order in orders_of(strengths, 0, len(strengths)):
        path = np.asarray([game(np.isin(np.arange(len(order)), order[:k]))[1] for k in range(len(order) + 1)])
        row = np.empty(len(order))
        row[order] = np.diff(path)
        gains.append(row)
    return np.mean(gains, axis=0)


@pytest.mark.parametrize("text", ["a", "a b", "a b c", "a, b c d", "a b. c d e f", "a~b c d, e~f g"])
def test_partition_shap_divided_to_the_end_gives_the_owen_values(text: str) -> None:
    strengths = boundaries(asked_of(text))
    game = table_game(len(strengths), 6)
    got = ask(FakeModel(game), text, "partition-shap", samples=100_000)
    np.testing.assert_allclose(got.scores, owen_values(game, strengths), atol=1e-5)
    assert got.diagnostics["exact"]
    assert got.cost.forward_rows == got.cost.promised_forward_rows == 2 + num_rows(strengths, 100_000)


def test_a_text_parts_at_its_strongest_border_nearest_the_middle() -> None:
    strengths = boundaries(asked_of("one two, three four. five~six seven\n\neight nine"))
    assert strengths == [0, 1, 2, 1, 3, 0, 1, 4, 1]
    assert middle_of(strengths, 0, 9) == 7
    assert middle_of(strengths, 0, 7) == 4
    assert middle_of([0, 1, 1, 1], 0, 4) == 2
    assert boundaries(asked_of("好~。~我~，~你")) == [0, 0, 3, 0, 2]
    assert boundaries(asked_of('he said "no." then left')) == [0, 1, 1, 3, 1]


def test_a_group_that_is_not_divided_shares_its_gain() -> None:
    weights = [8.0, 0.0, 1.0, 1.0]
    got = ask(FakeModel(linear_game(weights)), words(4), "partition-shap", samples=2)
    np.testing.assert_allclose(got.scores, [4.0, 4.0, 1.0, 1.0])
    assert not got.diagnostics["exact"]
    more = ask(FakeModel(linear_game(weights)), words(4), "partition-shap", samples=6)
    np.testing.assert_allclose(more.scores, [8.0, 0.0, 1.0, 1.0])


def test_a_long_text_keeps_to_its_rows() -> None:
    partials: list[Attribution] = []
    model = FakeModel(linear_game(np.random.default_rng(0).normal(size=300)))
    got = ask(model, words(300), "partition-shap", partials)
    assert got.cost.forward_rows == got.cost.promised_forward_rows == model.rows == 502
    assert len(partials) > 4
