from __future__ import annotations

import pytest

from saliscope.daemon.worker.scheduling.budget import LEAST_TOKENS, MOST_TOKENS, NO_SLOWER, OVERHEAD, Budget
from saliscope.daemon.worker.scheduling.deadlines import Deadlines


@pytest.mark.parametrize(("fixed", "per_token"), [(0.02, 2e-4), (0.005, 2e-6), (0.001, 1e-3)])
def test_a_measured_budget_is_where_time_a_token_stops_falling(fixed: float, per_token: float) -> None:
    budget = Budget.measured({tokens: fixed + per_token * tokens for tokens in (16, 64, 256)})
    wanted = fixed / per_token / OVERHEAD
    assert budget.tokens == pytest.approx(min(max(wanted, LEAST_TOKENS), MOST_TOKENS), abs=2)
    if budget.free < budget.tokens:
        assert fixed + per_token * budget.free <= NO_SLOWER * (fixed + per_token * 16) + 1e-9


def test_a_device_that_is_never_full_gets_what_was_tried() -> None:
    assert Budget.measured({16: 0.002, 4096: 0.002}) == Budget(4096, 4096)
    assert Budget.measured({16: 0.5}) == Budget(LEAST_TOKENS, 16)


def test_deadlines_come_in_order_and_once() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for member, at in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        deadlines.set(member, at)
    deadlines.forget("b")
    deadlines.forget("nobody")
    assert deadlines.next == 1.0
    assert deadlines.due(0.5) == []
    assert deadlines.due(3.0) == ["a", "c"]
    assert deadlines.due(9.0) == []
    assert (deadlines.next, len(deadlines)) == (None, 0)


def test_deadlines_that_were_met_do_not_pile_up() -> None:
    deadlines: Deadlines[int] = Deadlines()
    for member in range(10_000):
        deadlines.set(member, 1e9)
        deadlines.forget(member)
    assert len(deadlines._heap) <= 130
