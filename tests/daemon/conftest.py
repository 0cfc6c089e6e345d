from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from saliscope.protocol import paths
from saliscope.protocol.client import Client
from saliscope.protocol.codec import CHUNK, Decoder, encode_notification, encode_request
from saliscope.protocol.frames import CLIENT_LIMITS, Frame

FAKE_DAEMON = Path(__file__).with_name("fake_daemon.py")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder (socket paths are limited) with runtime and cache folders of its own."""
    folder = Path(tempfile.mkdtemp(prefix="sal-", dir="/tmp"))
    monkeypatch.setenv("SALISCOPE_RUNTIME_DIR", str(folder / "run"))
    monkeypatch.setenv("SALISCOPE_CACHE_DIR", str(folder / "cache"))
    yield folder
    shutil.rmtree(folder)


class Wire:
    """A client that shows every frame."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(paths.socket_path()))
        self._frames: list[Frame] = []
        self._decoder = Decoder(CLIENT_LIMITS)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self, id: int, method: str, **params: Any) -> None:
        self.send(encode_request(id, method, params))

    def cancel(self, id: int) -> None:
        self.send(encode_notification("$/cancel", {"id": id}))

    def read(self) -> Frame | None:
        """The next frame; None when the daemon has closed the connection."""
        while not self._frames:
            try:
                data = self.socket.recv(CHUNK)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._frames += self._decoder.frames(data)
        return self._frames.pop(0)

    def close(self) -> None:
        self.socket.close()

    def leave(self) -> None:
        """Close our half, and read what still comes until the daemon has closed its own."""
        self.socket.settimeout(60)
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(CHUNK):
                pass
        except (ConnectionResetError, BrokenPipeError, OSError):
            pass
        self.socket.close()


class Daemon:
    """A daemon process with fake workers, and clients of it."""

    def __init__(self, limits: dict[str, Any], options: Sequence[str] = ()) -> None:
        # A file, not a pipe: one that nobody reads would fill up and stop the daemon.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        readable, writable = os.pipe()
        command = [sys.executable, str(FAKE_DAEMON), str(writable), msgspec.json.encode(limits).decode()]
        self.process = subprocess.Popen([*command, *options], pass_fds=(writable,), stderr=self._log)
        os.close(writable)
        with open(readable, "rb") as ready:
            assert ready.read() == b"ready\n"
        self._open: list[Client | Wire] = []

    def client(self, **wishes: Any) -> Client:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(paths.socket_path()))
        client = Client(sock)
        self._open.append(client)
        client.initialize(**wishes)
        return client

    def wire(self) -> Wire:
        wire = Wire()
        self._open.append(wire)
        return wire

    def part(self, wire: Wire) -> None:
        """Let a client leave, and forget it."""
        wire.leave()
        self._open.remove(wire)

    def log(self) -> str:
        """What it has logged so far."""
        # No seek: the daemon writes at the same place of the same open file.
        return os.pread(self._log.fileno(), 1 << 30, 0).decode()

    def end(self) -> str:
        """End it with SIGTERM unless it has ended, and give its log."""
        for client in self._open:
            client.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        log = self.log()
        self._log.close()
        assert "Traceback" not in log
        assert "never retrieved" not in log
        return log


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Daemon]]:
    daemons: list[Daemon] = []

    def start(*options: str, **limits: Any) -> Daemon:
        daemons.append(Daemon(limits, options))
        return daemons[-1]

    yield start
    for daemon in daemons:
        if daemon.process.returncode is None:
            daemon.end()


@pytest.fixture
def daemon(start: Callable[..., Daemon]) -> Daemon:
    return start()


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Ask again until the answer is true; the test's time limit is the only one."""

    def until(ask: Callable[[], Any]) -> Any:
        while not (answer := ask()):
            time.sleep(0.01)
        return answer

    return until


def is_gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def gone(until: Callable[[Callable[[], Any]], Any]) -> Callable[[int], None]:
    return lambda pid: until(lambda: is_gone(pid))


@pytest.fixture
def real_daemons(home: Path, gone: Callable[[int], None]) -> Iterator[Callable[[], list[int]]]:
    """The pids of the real daemons that were started in this home, as their log tells; ended afterwards."""

    def pids() -> list[int]:
        lines = paths.log_path().read_text().splitlines()
        return [int(line.rpartition(" ")[2]) for line in lines if " listens on " in line]

    yield pids
    for pid in pids() if (home / "cache" / "daemon.log").exists() else []:
        if not is_gone(pid):
            os.kill(pid, signal.SIGTERM)
            gone(pid)
