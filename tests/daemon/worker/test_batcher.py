"""Pairs of rows stay in one micro-batch, however small it is and whoever comes along."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliscope.daemon.worker.batcher import Batcher
from saliscope.daemon.worker.solver import Solver
from saliscope.explainers import load
from saliscope.explainers.queries import INPUT, Answer, Differentiate, Differentiated, Moved
from saliscope.explainers.targets import Scalar


def pairs(model: Any, text: str, count: int) -> Differentiate:
    """A text against `count` references, each a bit further away."""
    encoding = model.encode(text)
    groups = tuple(token.positions for token in encoding.tokens if not token.special)
    z = np.zeros((2 * count, len(groups)), dtype=np.float32)
    z[1::2] = -np.linspace(0.2, 1.0, count)[:, None]
    scalar = Scalar("class", 0, "logit")
    return Differentiate(
        encoding, scalar, (INPUT,), reductions=("displacement",), rows=Moved(z, groups), rule="deep-lift"
    )


@pytest.mark.parametrize("budget", [1, 30, 64, 5000])
def test_pairs_stay_together(budget: int) -> None:
    model = load("demo-encoder", "cpu")
    queries = [pairs(model, "a dull film", 5), pairs(model, "funny, warm and clever", 3)]
    got: dict[int, Any] = {}
    batcher = Batcher(Solver(lambda: None), budget)
    for owner, query in enumerate(queries):

        def keep(outcome: Answer, owner: int = owner) -> None:
            got[owner] = outcome

        batcher.add(owner, model, query, keep)
    while batcher.step():
        pass
    assert batcher.num_rows == 16
    for owner, query in enumerate(queries):
        alone = model.answer(query, 10**6)
        assert isinstance(got[owner], Differentiated)
        np.testing.assert_allclose(got[owner].values, alone.values, atol=1e-5)
        wanted = alone.products[INPUT, "displacement"]
        np.testing.assert_allclose(got[owner].products[INPUT, "displacement"], wanted, atol=1e-5)
