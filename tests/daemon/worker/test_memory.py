"""Freed memory goes back to the system, but not all the time."""

from __future__ import annotations

import pytest

from saliscope.daemon.worker import memory
from saliscope.daemon.worker.memory import PERIOD_S, Trimmer


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(memory, "time", clock)
    return clock


def test_it_trims_after_work_and_at_most_once_in_a_period(clock: Clock) -> None:
    trimmer = Trimmer()
    clock.now += 10 * PERIOD_S
    assert not trimmer.tidy()
    assert trimmer.wait_s is None
    trimmer.worked()
    assert trimmer.tidy()
    trimmer.worked()
    assert not trimmer.tidy()
    assert trimmer.wait_s == PERIOD_S
    clock.now += PERIOD_S
    assert trimmer.wait_s == 0
    assert trimmer.tidy()


def test_whoever_measures_has_it_trimmed_now(clock: Clock) -> None:
    trimmer = Trimmer()
    assert not trimmer.tidy(now=True)
    trimmer.worked()
    assert trimmer.tidy(now=True)
    assert not trimmer.tidy(now=True)


def test_without_malloc_trim_nothing_is_ever_due(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    trimmer = Trimmer()
    trimmer.worked()
    assert trimmer.wait_s is None
    assert not trimmer.tidy(now=True)
