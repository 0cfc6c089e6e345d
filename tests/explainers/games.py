"""Known answers for set functions, by brute force."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from saliscope.explainers import Attribution, Question, drive
from saliscope.explainers.explaining import explaining
from tests.explainers.fakes import FakeModel, Game


def words(count: int) -> str:
    return " ".join(f"w{k}" for k in range(count))


def ask(model: FakeModel, text: str, method: str, partials: list[Attribution] | None = None, **params: Any) -> Any:
    """Explain the output "yes" of a model without a model; `seed` and `granularity` are the question's."""
    options = {name: params.pop(name) for name in ("seed", "granularity") if name in params}
    question = Question(text, method, "yes", params=params, **options)
    return drive(explaining(model, question), model.answer, None if partials is None else partials.append)


def shapley_values(game: Game, count: int) -> np.ndarray[Any, Any]:
    """Output 1 of a game, shared by definition: the weighted mean of every marginal contribution."""
    values = np.zeros(count)
    for feature in range(count):
        others = [other for other in range(count) if other != feature]
        for size in range(count):
            for members in combinations(others, size):
                row = np.zeros(count, dtype=bool)
                row[list(members)] = True
                without = game(row)[1]
                row[feature] = True
                values[feature] += (game(row)[1] - without) / (count * comb(count - 1, size))
    return values


def smooth_game(count: int, seed: int) -> Game:
    """A linear function with pairs that help or hinder each other and a bend: no function of its parts alone."""
    rng = np.random.default_rng(seed)
    linear, pairs = rng.normal(size=count), rng.normal(size=(count, count)) / np.sqrt(count)

    def game(visible: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        z = visible.astype(float)
        inner = float(linear @ z + z @ pairs @ z)
        return np.asarray([0.0, inner + np.tanh(inner)])

    return game
