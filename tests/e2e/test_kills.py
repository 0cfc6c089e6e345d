"""Kills at random moments under load: every request is answered, and rightly."""

from __future__ import annotations

import pytest
from bench.load.kills import Victim, run


@pytest.mark.load
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("victim", "num_kills"), [("worker", 100), ("zygote", 10), ("front", 10)])
def test_every_request_is_answered_whatever_is_killed(victim: Victim, num_kills: int) -> None:
    report = run(victim, num_kills)
    print("\n".join(report.lines()))
    assert report.num_kills == num_kills
    assert (report.unanswered, report.wrong) == (0, 0)
    assert report.answers > num_kills
    # A request that was hit twice while it was computed, or that lost four daemons, is told so.
    assert {*report.errors} <= {"internal", "unavailable"}
    assert report.errors.total() <= num_kills
