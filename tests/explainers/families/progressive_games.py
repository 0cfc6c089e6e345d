"""What tests of progressive inference share: games, and their Shapley values by definition."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np

from saliscope.explainers import Attribution, Question, drive
from saliscope.explainers.explaining import explaining


def words(count: int) -> str:
    return " ".join(f"w{k}" for k in range(count))


def linear_game(weights: Any) -> Any:
    """Outputs `[0, sum of the visible weights]`, also for the long row that stands for every empty text."""
    weights = np.asarray(weights, dtype=np.float64)
    return lambda visible: np.asarray([0.0, float(weights @ visible[: len(weights)])])


def run(model: Any, text: str, partials: list[Attribution] | None = None, **options: Any) -> Attribution:
    asked = {name: options.pop(name) for name in ("target", "seed", "granularity", "scale") if name in options}
    question = Question(text, "mp-pi", params=options, **asked)
    return drive(explaining(model, question), model.answer, None if partials is None else partials.append)


def shapley(n: int, value: Any) -> Any:
    """Shapley values by their definition, from `value(set of features)`."""
    total = 0.0
    for size in range(n):
        for others in combinations(range(n - 1), size):
            weight = math.factorial(size) * math.factorial(n - 1 - size) / math.factorial(n)
            gains = []
            for i in range(n):
                rest = tuple(other if other < i else other + 1 for other in others)
                gains.append(value(frozenset({*rest, i})) - value(frozenset(rest)))
            total = total + weight * np.stack(gains)
    return total


def of_game(game: Any, n: int) -> Any:
    """Shapley values `[n, C]` of a game over positions."""

    def value(coalition: frozenset[int]) -> Any:
        return game(np.isin(np.arange(n), list(coalition)))

    return shapley(n, value)


def mixed(n: int, seed: int) -> tuple[Any, Any]:
    """Shapley values of a game of single words, pairs and triples, and its readings at every feature of a pass."""
    rng = np.random.default_rng(seed)
    terms = [((k,), rng.normal()) for k in range(n)]
    terms += [(tuple(rng.choice(n, 2, replace=False)), 0.5 * rng.normal()) for _ in range(n)]
    terms += [(tuple(rng.choice(n, 3, replace=False)), 0.5 * rng.normal()) for _ in range(n // 2)]
    want = np.zeros(n)
    for members, worth in terms:
        want[list(members)] += worth / len(members)

    def read(keep: Any) -> Any:
        values = np.zeros(keep.shape)
        for members, worth in terms:
            whole = keep[:, list(members)].all(axis=1)
            values[:, max(members) :] += worth * whole[:, None]
        return values[:, :, None]

    return want, read
