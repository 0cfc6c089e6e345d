"""Jobs on several workers: all of them have rows, and one that is killed loses none and doubles none."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.daemon.conftest import Daemon
from tests.daemon.jobs.conftest import Until, read_rows, write_rows

from saliscope.protocol.client import Client
from saliscope.protocol.jobs import Job

Wait = Callable[[Client, str], Job]


def workers(client: Client) -> dict[int, dict[str, Any]]:
    """The living workers by their pids."""
    return {worker["pid"]: worker for worker in client.status().workers if "counters" in worker}


def test_a_job_names_its_engine_and_all_of_its_workers_have_rows(
    daemon: Daemon, tmp_path: Path, done: Wait, until: Until
) -> None:
    data = write_rows(tmp_path / "data.jsonl", [{"text": f"film {n}"} for n in range(2000)])
    client, out = daemon.client(), tmp_path / "out.jsonl"
    job = done(client, client.submit_job(data, str(out), engine="ray").job)
    assert (job.engine, job.restarts) == ("ray", 0)
    assert [row["row"] for row in read_rows(out)] == [*range(2000)]
    until(lambda: len(workers(client)) == 3)
    asked = [worker["counters"]["requests"] for worker in workers(client).values()]
    assert min(asked) > 20
    # The daemon's own worker was not needed.
    assert len(client.status().workers) == 3


def test_a_worker_that_is_killed_in_a_chunk_loses_no_row_and_doubles_none(
    daemon: Daemon, tmp_path: Path, done: Wait, until: Until
) -> None:
    gate = tmp_path / "gate"
    # Every chunk has a row that waits, and hangs in one of the workers.
    rows = [{"text": f"until {gate}" if n % 32 == 0 else f"film {n}"} for n in range(320)]
    data = write_rows(tmp_path / "data.jsonl", rows)
    client, out = daemon.client(), tmp_path / "out.jsonl"
    job = client.submit_job(data, str(out), engine="ray").job

    def hanging() -> list[int]:
        return [pid for pid, worker in workers(client).items() if worker["queue"]["waiting"]]

    victims = until(lambda: len(found := hanging()) == 3 and found)
    gate.touch()
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    found = done(client, job)
    assert (found.done, found.failed, found.restarts) == (320, 0, 0)
    assert [row["row"] for row in read_rows(out)] == [*range(320)]
    assert not set(victims) & set(workers(client))
