"""Many clients at once: every request is answered, with the library's numbers."""

from __future__ import annotations

import asyncio
import os

import pytest
from bench.load.crowd import crowd


@pytest.fixture
def reachable(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients of this process find the session's daemon."""
    for name in ("SALISCOPE_RUNTIME_DIR", "SALISCOPE_CACHE_DIR"):
        monkeypatch.setitem(os.environ, name, environment[name])


@pytest.mark.load
@pytest.mark.timeout(3600)
def test_64_clients_with_10_000_requests_lose_nothing_and_hear_nothing_wrong(reachable: None) -> None:
    report = asyncio.run(crowd(64, 10_000, 200))
    print("\n".join(report.lines()))
    assert (report.lost, report.wrong, report.answers) == (0, 0, 10_000)
    assert report.rows / report.num_requests <= 24


def test_a_dozen_clients_lose_nothing_and_hear_nothing_wrong(reachable: None) -> None:
    report = asyncio.run(crowd(12, 120, 12))
    assert (report.lost, report.wrong, report.answers) == (0, 0, 120)
