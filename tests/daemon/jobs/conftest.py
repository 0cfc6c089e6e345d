from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from saliscope.protocol.client import Client
from saliscope.protocol.jobs import Job

Until = Callable[[Callable[[], Any]], Any]


def write_rows(path: Path, rows: list[Any]) -> str:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def ended(until: Until) -> Callable[[Client, str], Job]:
    """The job when it runs no more."""

    def ended(client: Client, job: str) -> Job:
        until(lambda: client.job_status(job).state != "running")
        return client.job_status(job)

    return ended


@pytest.fixture
def done(ended: Callable[[Client, str], Job]) -> Callable[[Client, str], Job]:
    """The job, which must get done."""

    def done(client: Client, job: str) -> Job:
        found = ended(client, job)
        assert (found.state, found.reason) == ("done", "")
        return found

    return done
