"""Data-set jobs through a daemon with fake workers: every row once, whatever happens meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench.load.house import driver_of
from tests.daemon.conftest import Daemon
from tests.daemon.jobs.conftest import Until, read_rows, write_rows

from saliscope.protocol.client import Client
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import Job

Wait = Callable[[Client, str], Job]


@pytest.fixture
def many(tmp_path: Path) -> str:
    rows = [{"text": f"film {n}", "label": "positive" if n % 2 else "negative", "kind": n % 3} for n in range(100)]
    return write_rows(tmp_path / "many.jsonl", rows)


@pytest.fixture
def held(tmp_path: Path) -> tuple[str, Path]:
    """Data whose row 70 is explained when a file is there, and that file."""
    gate = tmp_path / "gate"
    rows = [{"text": f"until {gate}" if n == 70 else f"film {n}"} for n in range(100)]
    return write_rows(tmp_path / "held.jsonl", rows), gate


def test_every_row_is_one_row_of_the_output_in_its_order(daemon: Daemon, tmp_path: Path, many: str, done: Wait) -> None:
    client, out = daemon.client(), tmp_path / "out.jsonl"
    job = done(client, client.submit_job(many, str(out), slices=["kind"]).job)
    rows = read_rows(out)
    assert [(row["row"], row["text"]) for row in rows] == [(n, f"film {n}") for n in range(100)]
    assert (job.done, job.failed, job.total) == (100, 0, 100)
    assert all((row["scores"], row["features"], row["code"]) == ([1.0], [row["text"]], None) for row in rows)
    assert not (tmp_path / "out.jsonl.parts").exists()
    results = client.job_results(job.job)
    assert (results.rows, results.failed, results.accuracy) == (100, 0, 0.5)
    assert results.confusion == {"negative": {"positive": 50}, "positive": {"positive": 50}}
    assert {(one.field, one.value): one.rows for one in results.slices if one.field == "kind"} == {
        ("kind", "0"): 34, ("kind", "1"): 33, ("kind", "2"): 33,
    }  # fmt: skip
    assert [one.job for one in client.list_jobs()] == [job.job]


def test_a_row_that_fails_has_the_reason_and_the_job_goes_on(daemon: Daemon, tmp_path: Path, done: Wait) -> None:
    texts: list[Any] = [f"film {n}" for n in range(50)]
    texts[3], texts[20], texts[30] = "fail", 5, "crash"
    data = write_rows(tmp_path / "data.jsonl", [{"text": text} for text in texts])
    with open(data, "a") as file:
        file.write("{broken\n[1]\n")
    client, out = daemon.client(), tmp_path / "out.jsonl"
    job = done(client, client.submit_job(data, str(out)).job)
    rows = read_rows(out)
    assert [row["row"] for row in rows] == [*range(52)]
    failed = {row["row"]: (row["code"], row["message"]) for row in rows if row["code"]}
    assert failed.keys() == {3, 20, 30, 50, 51}
    assert failed[3] == ("bad_request", "as asked")
    assert failed[20][1] == "data: the text of row 20 is no string"
    assert (failed[30][0], "ended the worker" in failed[30][1]) == ("internal", True)
    assert "line 51 is not JSON" in failed[50][1]
    assert job.failed == 5
    results = client.job_results(job.job)
    assert results.codes == {"bad_request": 4, "internal": 1}
    assert [one.row for one in results.failures] == [3, 20, 30, 50, 51]


def test_rows_that_all_fail_alike_end_the_job(daemon: Daemon, tmp_path: Path, ended: Wait) -> None:
    data = write_rows(tmp_path / "data.jsonl", [{"text": "fail"}] * 40)
    client = daemon.client()
    job = ended(client, client.submit_job(data, str(tmp_path / "out.jsonl")).job)
    assert (job.state, job.reason) == ("failed", "the first 32 rows all failed: as asked")


@pytest.mark.parametrize("victim", ["driver", "front"])
def test_a_kill_loses_no_row_and_doubles_none(
    start: Callable[..., Daemon], tmp_path: Path, held: tuple[str, Path], done: Wait, until: Until, victim: str
) -> None:
    daemon = start()
    data, gate = held
    out, parts = tmp_path / "out.jsonl", tmp_path / "out.jsonl.parts"
    job = daemon.client().submit_job(data, str(out)).job
    # All chunks but the one that waits.
    until(lambda: len([*parts.glob("*.jsonl")]) == 3)
    kept = {path.name: path.stat().st_ino for path in parts.glob("*.jsonl")}
    gate.touch()
    if victim == "driver":
        os.kill(until(lambda: driver_of(job)), signal.SIGKILL)
    else:
        daemon.process.kill()
        daemon.process.wait()
        # The socket of the dead one is in the way of nobody.
        daemon = start()
    client = daemon.client()
    found = done(client, job)
    assert [row["row"] for row in read_rows(out)] == [*range(100)]
    assert len(kept) == 3
    if victim == "driver":
        assert found.restarts == 1


def test_a_job_pauses_and_goes_on(
    daemon: Daemon, tmp_path: Path, held: tuple[str, Path], done: Wait, until: Until
) -> None:
    data, gate = held
    client, out = daemon.client(), tmp_path / "out.jsonl"
    job = client.submit_job(data, str(out)).job
    until(lambda: len([*(tmp_path / "out.jsonl.parts").glob("*.jsonl")]) == 3)
    paused = client.pause_job(job)
    assert (paused.state, paused.reason, paused.total) == ("paused", "as asked", 100)
    assert driver_of(job) is None
    assert client.pause_job(job).state == "paused"
    with pytest.raises(SaliscopeError, match="it has results when it is done"):
        client.job_results(job)
    gate.touch()
    assert client.resume_job(job).state == "running"
    assert done(client, job).done == 100
    assert [row["row"] for row in read_rows(out)] == [*range(100)]
    with pytest.raises(SaliscopeError, match="only one that waits can be resumed"):
        client.resume_job(job)
    with pytest.raises(SaliscopeError, match="only a running one can be paused"):
        client.pause_job(job)


def test_a_cancelled_job_leaves_nothing(daemon: Daemon, tmp_path: Path, held: tuple[str, Path], until: Until) -> None:
    client = daemon.client()
    job = client.submit_job(held[0], str(tmp_path / "out.jsonl")).job
    until(lambda: client.job_status(job).done > 0)
    assert client.cancel_job(job).state == "cancelled"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["held.jsonl"]
    assert client.cancel_job(job).state == "cancelled"


def test_a_submission_may_be_repeated_under_its_id(daemon: Daemon, tmp_path: Path, many: str, done: Wait) -> None:
    client = daemon.client()
    jobs = {client.submit_job(many, str(tmp_path / "out.jsonl"), job="mine").job for _ in range(2)}
    assert jobs == {"mine"}
    assert done(client, "mine").done == 100
    assert len(client.list_jobs()) == 1


def test_the_same_command_with_resume_finds_its_job(
    daemon: Daemon, tmp_path: Path, held: tuple[str, Path], done: Wait
) -> None:
    data, gate = held
    client, out = daemon.client(), str(tmp_path / "out.jsonl")
    job = client.submit_job(data, out).job
    assert client.submit_job(data, out, resume=True).job == job
    client.pause_job(job)
    gate.touch()
    assert client.submit_job(data, out, resume=True).job == job
    done(client, job)
    # There is nothing left to do.
    assert client.submit_job(data, out, resume=True).state == "done"


def test_chunks_are_gone_on_with_by_a_daemon_that_knows_no_job(
    daemon: Daemon, home: Path, tmp_path: Path, held: tuple[str, Path], done: Wait, until: Until
) -> None:
    data, gate = held
    client, out = daemon.client(), str(tmp_path / "out.jsonl")
    parts = tmp_path / "out.jsonl.parts"
    first = client.submit_job(data, out).job
    until(lambda: len([*parts.glob("*.jsonl")]) == 3)
    client.pause_job(first)
    for path in (home / "cache" / "jobs" / first).iterdir():
        path.unlink()
    marks = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.jsonl")}
    gate.touch()
    second = client.submit_job(data, out, resume=True).job
    assert second != first
    assert len(marks) == 3
    done(client, second)
    assert [row["row"] for row in read_rows(tmp_path / "out.jsonl")] == [*range(100)]


def test_only_so_many_jobs_run_at_once(
    start: Callable[..., Daemon], tmp_path: Path, held: tuple[str, Path], many: str
) -> None:
    client = start(jobs=1).client()
    job = client.submit_job(held[0], str(tmp_path / "a.jsonl")).job
    with pytest.raises(SaliscopeError, match="1 jobs run; wait for one"):
        client.submit_job(many, str(tmp_path / "b.jsonl"))
    client.cancel_job(job)


def test_jobs_are_not_waited_for_by_a_daemon_that_ends(
    start: Callable[..., Daemon], tmp_path: Path, held: tuple[str, Path], done: Wait
) -> None:
    daemon = start()
    client = daemon.client()
    job = client.submit_job(held[0], str(tmp_path / "out.jsonl")).job
    client.shutdown()
    daemon.end()
    assert driver_of(job) is None
    held[1].touch()
    done(start().client(), job)
    assert len(read_rows(tmp_path / "out.jsonl")) == 100
