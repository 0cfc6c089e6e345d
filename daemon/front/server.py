"""The daemon's main loop: one lock, one Unix socket, a session for each connection."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from saliscope import __version__
from saliscope.daemon.engines import Engine
from saliscope.daemon.front.router import DRAIN_S, Router
from saliscope.daemon.front.session import Session, SessionLimits
from saliscope.protocol import paths

log = logging.getLogger(__name__)

_BACKLOG: Final = 128
#: How long a starting daemon waits for a predecessor that still answers its last requests.
_PREDECESSOR_S: Final = DRAIN_S + 10


class AlreadyRunningError(Exception):
    """Another daemon of this user answers on the socket."""


def take_life_lock() -> BinaryIO:
    """The lock that one daemon at a time holds.

    Waits for a daemon that is ending; raises `AlreadyRunningError` if one listens.
    """
    lock = open(paths.life_lock_path(), "ab")  # noqa: SIM115 - held for the life of the process
    end = time.monotonic() + _PREDECESSOR_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end or _is_answered(paths.socket_path()):
                lock.close()
                raise AlreadyRunningError from None
            time.sleep(0.02)
        else:
            return lock


def listen() -> socket.socket:
    """The listening socket, mode 0600; only for the holder of the life lock, for it removes a stale one."""
    path = paths.socket_path()
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(mask)
    sock.listen(_BACKLOG)
    return sock


async def serve(sock: socket.socket, engine: Engine, on_ready: Callable[[], None], limits: SessionLimits) -> None:
    """Accept and serve until `shutdown` or SIGTERM; the socket's file is gone afterwards."""
    path = sock.getsockname()
    router = Router(engine, path)
    sessions: set[Session] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not _is_ours(writer.get_extra_info("socket")):
            log.warning("refused a connection of another user")
            writer.close()
            return
        session = Session(reader, writer, router, limits)
        sessions.add(session)
        router.num_sessions = len(sessions)
        try:
            await session.run()
        finally:
            sessions.discard(session)
            router.num_sessions = len(sessions)

    server = await asyncio.start_unix_server(accept, sock=sock, backlog=_BACKLOG)
    _end_on_signals(router)
    log.info("saliscope %s listens on %s, pid %d", __version__, path, os.getpid())
    on_ready()
    await router.closing.wait()
    # From here on clients find no socket, and start a successor that waits for our lock.
    os.unlink(path)
    server.close()
    await router.stopped.wait()
    await asyncio.gather(*(session.finish() for session in sessions))
    await engine.close()
    log.info("ended")


def _end_on_signals(router: Router) -> None:
    loop = asyncio.get_running_loop()

    def end() -> None:
        # The first one lets requests finish, the second does not.
        if router.closing.is_set():
            router.hurry()
        router.shut_down()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)


def _is_ours(sock: socket.socket) -> bool:
    # Elsewhere (macOS) the folder's mode alone keeps others out.
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(uid == os.getuid())


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0
