"""How a daemon ends, what it logs and tells, and what systemd and it say to each other."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from saliscope.daemon.front import logs
from saliscope.daemon.front.options import seconds
from saliscope.protocol import connect, paths
from saliscope.protocol.errors import SaliscopeError

Start = Callable[..., Any]
Until = Callable[[Callable[[], Any]], Any]
Pids = Callable[[], list[int]]


def test_an_idle_daemon_ends_but_not_while_somebody_is_there(start: Start) -> None:
    daemon = start("--idle-timeout", "0.3s")
    wire = daemon.wire()
    with pytest.raises(subprocess.TimeoutExpired):
        daemon.process.wait(1)
    wire.close()
    assert daemon.process.wait() == 0
    assert not paths.socket_path().exists()


def test_without_a_timeout_it_stays(start: Start) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        start("--idle-timeout", "0").process.wait(1)


@pytest.mark.parametrize(
    ("text", "found"), [("0", 0), ("90", 90), ("90s", 90), ("1.5m", 90), ("3h", 10800), ("1d", 86400)]
)
def test_times_are_read(text: str, found: float) -> None:
    assert seconds(text) == found


def test_a_signal_lets_requests_finish_and_a_second_one_does_not(start: Start, until: Until) -> None:
    daemon = start()
    wire, other = daemon.wire(), daemon.client()
    wire.request(1, "explain", text="hang")
    until(lambda: other.status().requests["in_flight"] == 1)
    daemon.process.send_signal(signal.SIGTERM)
    until(lambda: not paths.socket_path().exists())
    with pytest.raises(SaliscopeError, match="shutting down"):
        other.call("explain", {"text": "a"})
    assert daemon.process.poll() is None
    daemon.process.send_signal(signal.SIGTERM)
    assert "cancelled" in wire.read().error
    assert daemon.process.wait() == 0


def test_requests_that_do_not_end_are_cancelled_after_the_limit(start: Start, until: Until) -> None:
    daemon = start(drain_s=0.1)
    wire, other = daemon.wire(), daemon.client()
    wire.request(1, "explain", text="hang")
    until(lambda: other.status().requests["in_flight"] == 1)
    daemon.process.send_signal(signal.SIGTERM)
    assert "cancelled" in wire.read().error
    assert daemon.process.wait() == 0


def test_bounds_on_all_requests_and_connections_are_busy(start: Start) -> None:
    daemon = start(all_requests=1, sessions=2)
    first, second = daemon.wire(), daemon.wire()
    first.request(1, "explain", text="hang")
    second.request(1, "ping")
    assert second.read().error is None
    second.request(2, "explain", text="a")
    assert second.read().error.startswith("busy: 1 requests")
    with pytest.raises(SaliscopeError, match="connections are open") as caught:
        daemon.client()
    assert caught.value.code == "busy"


def test_bounds_on_the_bytes_of_all_requests_are_busy(start: Start) -> None:
    daemon = start(all_bytes=10_000)
    wire = daemon.wire()
    wire.request(1, "explain", text="hang")
    wire.request(2, "explain", text="x" * 10_000)
    assert wire.read().error.startswith("busy: requests of")


def test_one_line_a_request_in_json_without_its_text(start: Start) -> None:
    daemon = start("--log-format", "json")
    client = daemon.client()
    client.explain("a secret")
    client.ping()
    with pytest.raises(SaliscopeError):
        client.call("explain", {"text": "a secret", "seed": "secret"})
    client.call("status")
    log = daemon.end()
    assert "secret" not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    asked = [line for line in lines if line["message"] == "request"]
    assert [(line["method"], line["code"], line["client"], line["id"]) for line in asked] == [
        ("explain", "ok", 1, 2),
        ("explain", "bad_request", 1, 4),
    ]
    assert asked[0]["model"] == "fake"
    assert asked[0]["rows"] == 1
    assert min(asked[0]["bytes_in"], asked[0]["bytes_out"], asked[0]["ms"]) > 0


def test_texts_are_logged_where_it_was_asked_for(start: Start) -> None:
    daemon = start("--log-texts")
    daemon.client().explain("a secret\nof two lines")
    log = daemon.end()
    assert "a secret\\" in log
    assert "what people explain is written" in log


def test_the_log_is_emptied_into_its_neighbour(home: Path) -> None:
    code = """
import sys; from saliscope.daemon.front import logs
for n in range(2000): print(f"line {n:06}", file=sys.stderr, flush=True)
assert logs.bound_log(1000) and not logs.bound_log(1000)
print("after", file=sys.stderr)
"""
    path = paths.log_path()
    with open(path, "ab") as log:
        subprocess.run([sys.executable, "-c", code], stderr=log, check=True)
    assert path.read_text() == "after\n"
    assert path.with_suffix(".log.1").read_text().endswith("line 001999\n")
    assert path.with_suffix(".log.1").stat().st_size <= 1000


def test_a_log_that_goes_elsewhere_is_left_alone(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths.log_path().write_text("x" * 100)
    assert not logs.bound_log(10)


class Systemd:
    """The other end of sd_notify, and a socket to pass on."""

    def __init__(self, home: Path) -> None:
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(home / "notify"))
        self.notified.settimeout(60)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(paths.socket_path()))
        self.listener.listen()
        self.environment = {**os.environ, "NOTIFY_SOCKET": str(home / "notify"), "WATCHDOG_USEC": "200000"}

    def start(self) -> subprocess.Popen[bytes]:
        """The real daemon with the socket as descriptor 3, as systemd starts it."""
        code = (
            f"import os, sys; os.dup2({self.listener.fileno()}, 3); os.environ |= "
            "{'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'}; "
            "os.execv(sys.executable, [sys.executable, '-m', 'saliscope.daemon'])"
        )
        fds = (self.listener.fileno(), 3) if self.listener.fileno() != 3 else (3,)
        return subprocess.Popen([sys.executable, "-c", code], env=self.environment, pass_fds=fds[:1])

    def heard(self, word: str) -> dict[str, str]:
        """The next message with this key."""
        while True:
            lines = self.notified.recv(4096).decode().splitlines()
            news = dict(line.split("=", 1) for line in lines)
            if word in news:
                return news

    def close(self) -> None:
        self.notified.close()
        self.listener.close()


def test_under_systemd_the_passed_socket_is_served_and_the_news_are_told(home: Path) -> None:
    systemd = Systemd(home)
    process = systemd.start()
    try:
        assert systemd.heard("READY")["READY"] == "1"
        assert systemd.heard("WATCHDOG")["STATUS"] == "0 connections, 0 requests in flight"
        with connect(start=False) as client:
            assert client.status().pid == process.pid
            assert "1 connections" in systemd.heard("WATCHDOG")["STATUS"]
        process.terminate()
        assert systemd.heard("STOPPING")["STOPPING"] == "1"
        assert process.wait() == 0
        # The socket is systemd's: its file stays, and the next daemon serves who comes meanwhile.
        assert paths.socket_path().exists()
        answers: list[int] = []

        def ask() -> None:
            with connect(start=False) as client:
                answers.append(client.status().pid)

        asking = threading.Thread(target=ask)
        asking.start()
        process = systemd.start()
        asking.join()
        assert answers == [process.pid]
    finally:
        process.kill()
        process.wait()
        systemd.close()


def test_a_daemon_that_hangs_tells_the_watchdog_nothing(home: Path) -> None:
    systemd = Systemd(home)
    process = systemd.start()
    try:
        systemd.heard("WATCHDOG")
        process.send_signal(signal.SIGSTOP)
        systemd.notified.settimeout(1)
        # What was said before it was stopped is still read; then nothing more comes.
        with pytest.raises(TimeoutError):
            systemd.heard("never said")
    finally:
        process.kill()
        process.wait()
        systemd.close()


def test_options_of_the_environment_hold_for_daemons_that_commands_start(
    real_daemons: Pids, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALISCOPE_DAEMON_OPTIONS", "--tcp 127.0.0.1:0 --log-texts")
    with connect() as client:
        assert (client.status().tcp or "").startswith("tcp://127.0.0.1:")
        pid = client.status().pid
    assert "--log-texts: what people explain" in paths.log_path().read_text()
    os.kill(pid, signal.SIGTERM)
