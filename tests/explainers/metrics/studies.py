"""Evaluations of models whose answers are known set functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from saliscope.explainers.metrics.evaluation import Cell, Evaluation
from saliscope.explainers.metrics.running import evaluate
from tests.explainers.fakes import FakeModel, Game
from tests.explainers.games import words

#: No order of the features is like another, and their sum is 0, so that equal scores foretell nothing.
WEIGHTS = (3.0, -2.0, 0.5, -1.0, 2.0, -0.25, -2.5, 0.25)


def known_model(weights: Sequence[float] = WEIGHTS, bias: float = 0.5, **options: Any) -> FakeModel:
    """The output "yes" is the sum of the visible weights and a bias, "no" is 0."""
    row = np.asarray(weights, dtype=np.float64)
    return FakeModel(sized(lambda visible: np.asarray([0.0, float(row @ visible) + bias]), len(row)), **options)


def sized(game: Game, count: int) -> Game:
    """A game of texts of `count` words, which says nothing of any other: methods ask about texts of their own."""
    return lambda visible: game(visible) if len(visible) == count else np.zeros(2)


def study(model: Any, metric: str, scores: dict[str, Sequence[float]], num_texts: int = 1, **params: Any) -> Evaluation:
    """Evaluate the same scores on texts that are alike, with the label "yes", and the random control."""
    text = words(len(next(iter(scores.values()))))
    rows = {name: [list(row)] * num_texts for name, row in scores.items()}
    records = [(text, "yes")] * num_texts
    return evaluate(model, records, ["random"], [{"metric": metric, **params}], precomputed=rows, lanes=1)


def one(model: Any, metric: str, scores: Sequence[float], **params: Any) -> Cell:
    """One metric of one text's scores."""
    return study(model, metric, {"given": scores}, **params).cell("given", metric)


def value(cell: Cell) -> float:
    """The cell's number, which must be there."""
    assert cell.number is not None, cell.why_not
    return cell.number.value
