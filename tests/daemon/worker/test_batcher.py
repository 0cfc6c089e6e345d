"""Micro-batches: pairs of rows stay together, each query is told its share of the time, a failing one is done with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saliscope.daemon.worker.batcher import Batcher, Outcome
from saliscope.daemon.worker.scheduling.budget import Budget
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.daemon.worker.solver import Solver
from saliscope.explainers import load
from saliscope.explainers.answers import Answer, Differentiated
from saliscope.explainers.queries import Differentiate, Evaluate, Outputs
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.variants import INPUT, Masked, Moved
from saliscope.protocol.errors import SaliscopeError


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
    batcher = Batcher(Solver(lambda: None), lambda: Budget(budget))
    for owner, query in enumerate(queries):

        def keep(outcome: Answer, owner: int = owner) -> None:
            got[owner] = outcome

        batcher.add(Owner(owner), model, query, keep)
    while batcher.step():
        pass
    assert batcher.done.rows == 16
    for owner, query in enumerate(queries):
        alone = model.answer(query, 10**6)
        assert isinstance(got[owner], Differentiated)
        np.testing.assert_allclose(got[owner].values, alone.values, atol=1e-5)
        wanted = alone.products[INPUT, "displacement"]
        np.testing.assert_allclose(got[owner].products[INPUT, "displacement"], wanted, atol=1e-5)


def hidden(model: Any, text: str, count: int) -> Evaluate:
    """A text whose first tokens are hidden, `count` times the same."""
    encoding = model.encode(text)
    groups = tuple(token.positions for token in encoding.tokens if not token.special)
    keep = np.ones((count, len(groups)), dtype=np.bool_)
    keep[:, 0] = False
    return Evaluate(encoding, Outputs("class"), Masked(keep, groups))


def test_the_time_of_a_micro_batch_is_shared_by_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("demo-encoder", "cpu")
    clock = iter(range(100))
    monkeypatch.setattr(f"{Batcher.__module__}.time.perf_counter", lambda: float(next(clock)))
    batcher = Batcher(Solver(lambda: None), lambda: Budget(5000))
    spent: dict[int, float] = {0: 0.0, 1: 0.0}
    for owner, count in enumerate((1, 3)):

        def charge(seconds: float, owner: int = owner) -> None:
            spent[owner] += seconds

        batcher.add(Owner(owner), model, hidden(model, "a dull film", count), lambda _: None, on_seconds=charge)
    batcher.add(Owner(2), model, hidden(model, "a dull film", 4), lambda _: None)
    assert batcher.step()
    assert not batcher.step()
    assert spent == {0: pytest.approx(1 / 8), 1: pytest.approx(3 / 8)}


def test_a_query_that_failed_is_told_once_and_its_other_rows_never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("demo-encoder", "cpu")
    query = hidden(model, "a dull film", 40)
    batcher = Batcher(Solver(lambda: None), lambda: Budget(4 * len(query.encoding)))
    told: list[Outcome] = []

    def broken(self: Any, pieces: Any) -> Any:
        raise ValueError("no")

    batcher.add(Owner(1), model, query, told.append)
    with monkeypatch.context() as patch:
        patch.setattr(type(model), "compute", broken)
        assert batcher.step()
    assert not batcher.step()
    assert len(told) == 1
    assert isinstance(told[0], SaliscopeError)
    assert batcher.done.rows == batcher.queue.num_rows == 0
