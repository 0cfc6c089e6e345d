from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.load.house import own_daemon

from saliscope.protocol import connect
from saliscope.protocol.client import Client

NUM_ACTORS = 3


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A daemon whose engine is Ray with three actors on this machine; jobs may ask for the local worker."""
    with own_daemon("--engine=ray", f"--ray-actors={NUM_ACTORS}"):
        yield


@pytest.fixture
def client(cluster: None) -> Iterator[Client]:
    """A client of it."""
    with connect() as client:
        yield client


def parent_of(pid: int) -> int:
    """The process that started another."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_there(pid: int) -> bool:
    """Whether a process lives."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
