"""The one lock of a user's daemon, and the sockets that it listens on."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import time
from pathlib import Path
from typing import BinaryIO, Final

from saliscope.protocol import paths
from saliscope.protocol.address import Address
from saliscope.protocol.errors import SaliscopeError

BACKLOG: Final = 128


class AlreadyRunningError(Exception):
    """Another daemon of this user answers on the socket."""


def take_life_lock(patience_s: float, *, is_ours: bool) -> BinaryIO:
    """The lock that one daemon at a time holds.

    Waits for a daemon that is ending; raises `AlreadyRunningError` if one listens, or after `patience_s`. With
    `is_ours` the socket that is answered is one that was passed to us: then only the lock counts.
    """
    lock = open(paths.life_lock_path(), "ab")  # noqa: SIM115 - held for the life of the process
    end = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end or (not is_ours and _is_answered(paths.socket_path())):
                lock.close()
                raise AlreadyRunningError from None
            time.sleep(0.02)
        else:
            return lock


def listen_locally() -> socket.socket:
    """The listening socket, mode 0600; only for the holder of the life lock, for it removes a stale one."""
    path = paths.socket_path()
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(mask)
    sock.listen(BACKLOG)
    return sock


def listen_on(address: Address) -> socket.socket:
    """A socket that listens on TCP; `unavailable` if the address cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise SaliscopeError("unavailable", f"cannot listen on {address}: {error.strerror}; choose another") from error


def is_own_user(sock: socket.socket) -> bool:
    """Whether the peer of a Unix socket is a process of our user."""
    # Elsewhere (macOS) the folder's mode alone keeps others out.
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(uid == os.getuid())


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0
