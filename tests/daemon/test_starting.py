"""Finding, starting, replacing and ending the real daemon (no request here needs a worker)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from saliscope import __version__
from saliscope.protocol import aconnect, connect, glance, paths, processes, stop
from saliscope.protocol.codec import CHUNK, Decoder, encode_response
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import SERVER_LIMITS, Request
from saliscope.protocol.live import LiveSession
from saliscope.protocol.results import Status

Pids = Callable[[], list[int]]
Gone = Callable[[int], None]


def test_the_first_client_starts_the_daemon_and_the_next_one_finds_it(real_daemons: Pids) -> None:
    stages: list[str] = []
    with connect(on_stage=stages.append) as first, connect(on_stage=stages.append) as second:
        assert first.status().pid == second.status().pid
        assert second.status().sessions == 2
    assert stages == ["starting the daemon"]
    assert len(real_daemons()) == 1


def test_the_started_daemon_is_no_child_of_its_client_and_outlives_it(real_daemons: Pids) -> None:
    command = [sys.executable, "-c", "from saliscope.protocol import connect; print(connect().status().pid)"]
    pid = int(subprocess.run(command, capture_output=True, check=True).stdout)
    assert real_daemons() == [pid]
    assert os.getsid(pid) != os.getsid(0)
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    with connect(start=False) as client:
        assert client.status().pid == pid


def test_without_a_daemon_and_without_starting_one_it_is_unavailable(home: Path) -> None:
    with pytest.raises(SaliscopeError, match="saliscope daemon start") as caught:
        connect(start=False)
    assert caught.value.code == "unavailable"
    assert not stop()
    assert not (home / "cache").exists()


def test_a_glance_sees_what_the_client_sees_and_starts_nothing(real_daemons: Pids) -> None:
    assert glance() is None
    assert not paths.socket_path().exists()
    with connect() as client:
        seen, told = glance(), client.status()
    assert seen is not None
    assert {*seen} == {*told.__struct_fields__}
    changing = {"uptime_s": 0.0, "sessions": 1, "memory": {}, "figures": {}}
    assert msgspec.convert({**seen, **changing}, Status) == msgspec.structs.replace(told, **changing)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request", b"\xc1\xc1", b"\x94\x01\x01\xc0\x07"])
def test_a_glance_at_something_else_names_the_socket(home: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(paths.socket_path()))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as sock:
                sock.recv(CHUNK)
                sock.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(SaliscopeError, match="no daemon of ours") as caught:
            glance()
        thread.join()
    assert caught.value.code == "protocol_mismatch"


def test_an_unwritable_runtime_folder_is_unavailable_with_the_next_step(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALISCOPE_RUNTIME_DIR", "/proc/saliscope")
    with pytest.raises(SaliscopeError, match="set SALISCOPE_RUNTIME_DIR") as caught:
        connect()
    assert caught.value.code == "unavailable"


def test_a_stale_socket_is_replaced(real_daemons: Pids) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(paths.socket_path()))
    assert paths.socket_path().exists()
    with connect() as client:
        assert client.status().pid == real_daemons()[0]


def test_a_killed_daemon_is_replaced(real_daemons: Pids, gone: Gone) -> None:
    with connect() as client:
        first = client.status().pid
        os.kill(first, signal.SIGKILL)
        gone(first)
        with pytest.raises(SaliscopeError) as caught:
            client.ping()
        assert caught.value.code == "unavailable"
    with connect() as client:
        assert client.status().pid != first


def test_racing_clients_start_exactly_one_daemon(real_daemons: Pids) -> None:
    command = [sys.executable, "-c", "from saliscope.protocol import connect; print(connect().status().pid)"]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(20)]
    pids = {int(racer.communicate()[0]) for racer in racers}
    assert sorted(pids) == real_daemons()
    assert len(pids) == 1


def test_a_second_daemon_started_by_hand_steps_back(real_daemons: Pids) -> None:
    with connect() as client:
        done = subprocess.run([sys.executable, "-m", "saliscope.daemon"], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "another daemon is running" in done.stderr
        assert client.ping()["pong"] is True


def test_stop_ends_the_daemon_and_its_socket(real_daemons: Pids, gone: Gone) -> None:
    connect().close()
    assert stop()
    gone(real_daemons()[0])
    assert not paths.socket_path().exists()
    assert not stop()


def test_a_terminated_daemon_leaves_no_socket(real_daemons: Pids, gone: Gone) -> None:
    connect().close()
    os.kill(real_daemons()[0], signal.SIGTERM)
    gone(real_daemons()[0])
    assert not paths.socket_path().exists()


class OldDaemon:
    """A daemon of another version that knows `initialize` and `shutdown`."""

    def __init__(self, refuses: bool) -> None:
        self.refuses = refuses
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(paths.socket_path()))
        self.listener.listen()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while True:
            sock, _ = self.listener.accept()
            with sock:
                for method in self.serve(sock):
                    if method == "shutdown":
                        paths.socket_path().unlink()
                        self.listener.close()
                        return

    def serve(self, sock: socket.socket) -> list[str]:
        seen: list[str] = []
        decoder = Decoder(SERVER_LIMITS)
        # A client that was refused hangs up with requests unanswered: its reset ends this connection alone.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while data := sock.recv(CHUNK):
                for frame in decoder.frames(data):
                    assert isinstance(frame, Request)
                    seen.append(frame.method)
                    sock.sendall(self.answer(frame))
                    if frame.method == "shutdown":
                        return seen
        return seen

    def answer(self, frame: Request) -> bytes:
        if self.refuses and frame.method == "initialize":
            return encode_response(frame.id, ["protocol_mismatch", "too new", {"version": "0.0.1"}], None)
        return encode_response(frame.id, None, {"protocol": 1, "version": "0.0.1", "capabilities": [], "limits": {}})


@pytest.mark.parametrize("refuses", [False, True])
def test_a_daemon_of_another_version_is_a_mismatch_or_is_replaced(real_daemons: Pids, refuses: bool) -> None:
    old = OldDaemon(refuses)
    with pytest.raises(SaliscopeError, match=f"version 0.0.1, this is {__version__}") as caught:
        connect(start=False)
    assert caught.value.code == "protocol_mismatch"
    with pytest.raises(SaliscopeError, match=f"version 0.0.1, this is {__version__}"):
        glance()
    stages: list[str] = []
    with connect(on_stage=stages.append) as client:
        assert client.status().pid in real_daemons()
    assert stages == ["stopping the daemon of version 0.0.1", "starting the daemon"]
    old.thread.join()


def test_a_daemon_of_another_version_can_be_stopped(home: Path) -> None:
    old = OldDaemon(refuses=True)
    assert stop()
    old.thread.join()


def test_a_daemon_that_cannot_start_shows_the_end_of_its_log(home: Path) -> None:
    # A folder in the place of the socket: it can be neither connected to nor removed.
    paths.socket_path().mkdir()
    with pytest.raises(SaliscopeError, match="ended while starting") as caught:
        connect()
    assert caught.value.code == "unavailable"
    assert "daemon.sock" in caught.value.message.splitlines()[-1]


def test_a_log_that_cannot_be_written_is_told_and_a_session_goes_on_trying(home: Path) -> None:
    paths.log_path().mkdir()
    states: list[str] = []

    async def run() -> None:
        session = LiveSession(on_state=lambda state, message: states.append(f"{state} {message}"))
        async with asyncio.timeout(10):
            await session.start()
        await asyncio.sleep(0)
        await session.stop()

    asyncio.run(run())
    assert states[-1].startswith("failed cannot start the daemon: ")
    assert "daemon.log" in states[-1]


def test_aconnect_starts_the_daemon_too(real_daemons: Pids) -> None:
    async def run() -> None:
        async with await aconnect() as client:
            assert [(await client.status()).pid] == real_daemons()

    asyncio.run(run())


def test_a_private_worker_needs_no_daemon_and_ends_with_its_client(monkeypatch: pytest.MonkeyPatch, gone: Gone) -> None:
    monkeypatch.setenv("SALISCOPE_RUNTIME_DIR", "/proc/saliscope")
    monkeypatch.setattr(processes, "WORKER", [str(Path(__file__).with_name("fake_worker.py"))])
    stages: list[str] = []
    with connect(private=True, on_stage=stages.append) as client:
        assert client.explain("a").scores[0] == 1.0
        pid = client.call("status")["pid"]
    assert stages == ["starting a private worker"]
    gone(pid)

    async def run() -> int:
        async with await aconnect(private=True) as client:
            assert (await client.explain("a")).scores[0] == 1.0
            return int((await client.call("status"))["pid"])

    gone(asyncio.run(run()))


def test_a_private_worker_that_cannot_start_shows_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "WORKER", ["-c", "raise SystemExit('no torch here')"])
    with pytest.raises(SaliscopeError, match="no torch here") as caught:
        connect(private=True)
    assert caught.value.code == "unavailable"
