"""The processes that a client starts: a daemon that outlives it, a private worker that ends with it."""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, BinaryIO, Final

from saliscope.protocol import paths
from saliscope.protocol.errors import SaliscopeError

if TYPE_CHECKING:
    import subprocess

#: A daemon that is replaced first answers what it has in flight (30 s), then the new one comes up.
START_S: Final = 60.0
#: What is started, as arguments of this Python.
DAEMON: Final = ["-m", "saliscope.daemon"]
WORKER: Final = ["-m", "saliscope.daemon.worker"]
_LOG_BYTES: Final = 1 << 20
_LOG_TAIL: Final = 15


def start_daemon(options: Sequence[str]) -> None:
    """Start a detached daemon and wait until it listens, or raise `unavailable` with the end of its log."""
    import subprocess

    log = _open_log()
    begin = log.tell()
    readable, writable = os.pipe()
    with log, open(readable, "rb", buffering=0) as ready:
        try:
            # It forks at once, so the process that we started ends at once and leaves no zombie.
            subprocess.run(
                [sys.executable, *DAEMON, "--ready-fd", str(writable), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                pass_fds=(writable,),
                start_new_session=True,
                check=False,
            )
        finally:
            os.close(writable)
        came, _, _ = select.select([ready], [], [], START_S)
        if came and ready.read(64):
            return
    reason = "the daemon ended while starting" if came else f"the daemon did not come up within {START_S:.0f} s"
    path = paths.log_path()
    with open(path, "rb") as written:
        raise SaliscopeError("unavailable", f"{reason}; the end of {path}:\n{tail(written, begin)}")


def start_worker() -> tuple[socket.socket, subprocess.Popen[bytes], IO[bytes]]:
    """Start a private worker: the socket to it, its process, and a file of what it writes."""
    import subprocess
    import tempfile

    ours, theirs = socket.socketpair()
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the caller, after the handshake
    with theirs:
        process = subprocess.Popen(
            [sys.executable, *WORKER, "--fd", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(theirs.fileno(),),
            # Ctrl-C is for the client, which cancels; the worker ends when its socket closes.
            start_new_session=True,
        )
    return ours, process, log


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Wait for a private worker whose socket was closed, or kill it if it does not end."""
    import subprocess

    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(log: IO[bytes], begin: int = 0) -> str:
    """The last lines of a log, of what was written behind `begin`."""
    log.seek(begin)
    return "\n".join(log.read().decode(errors="replace").splitlines()[-_LOG_TAIL:])


def _open_log() -> BinaryIO:
    path = paths.log_path()
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return open(path, "ab")
