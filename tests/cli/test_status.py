"""`saliscope status`, and `saliscope daemon` without one to talk to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from saliscope.cli.shapes import (
    StatusShape,
)
from saliscope.protocol.errors import SaliscopeError

from .conftest import STATUS, FakeClient

Run = Callable[..., Result]
ABSENT = SaliscopeError("unavailable", "no daemon listens on /run/daemon.sock; `saliscope daemon start` starts one")
pytestmark = pytest.mark.usefixtures("folders")


def test_status_of_a_running_daemon(run: Run, fake: FakeClient) -> None:
    output = run("status").stdout
    assert output.startswith("running       pid 4711, version 0.1.0, up 1 min 15 s\n")
    assert "demo-encoder  ready, encoder-classifier, cpu, 13.6 MB\n" in output
    assert fake.connections == []


def test_status_of_no_daemon_is_no_error(run: Run, fake: FakeClient) -> None:
    fake.absent = ABSENT
    result = run("status")
    assert result.exit_code == 0
    assert result.stdout.startswith("not running  `saliscope daemon start` starts it")


def test_status_json_has_its_shape(run: Run, fake: FakeClient) -> None:
    shape = msgspec.json.decode(run("status", "--json").stdout, type=StatusShape)
    assert (shape.running, shape.pid, shape.models) == (True, 4711, STATUS.models)
    assert msgspec.json.decode(run("daemon", "status", "--json").stdout, type=StatusShape) == shape
    fake.absent = ABSENT
    found = json.loads(run("status", "--json").stdout)
    assert set(found) == set(StatusShape.__struct_fields__)
    assert found["running"] is False


def test_a_daemon_of_another_version_is_named(run: Run, fake: FakeClient) -> None:
    fake.failure = SaliscopeError("protocol_mismatch", "the running daemon is version 0.0.1, this is 0.1.0")
    result = run("status")
    assert result.exit_code == 0
    assert "the running daemon is version 0.0.1" in result.stdout


def test_a_daemon_out_of_reach_is_an_error(run: Run, fake: FakeClient) -> None:
    fake.failure = SaliscopeError("unavailable", "cannot reach the daemon on x: Permission denied")
    assert run("status").exit_code == 14


def test_daemon_start_says_if_it_runs_already(run: Run) -> None:
    assert run("daemon", "start").stdout == "already running, pid 4711, up 1 min 15 s\n"


def test_daemon_logs_print_the_last_lines(run: Run, folders: Path) -> None:
    assert "no log yet" in run("daemon", "logs").stderr
    (folders / "cache" / "daemon.log").write_text("".join(f"line {n}\n" for n in range(100)))
    assert run("daemon", "logs", "-n", "2").stdout == "line 98\nline 99\n"


def test_daemon_stop_without_a_daemon(run: Run) -> None:
    assert run("daemon", "stop").stdout == "not running\n"
