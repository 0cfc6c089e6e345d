"""What systemd and a service say to each other: sockets passed on, readiness, and the watchdog.

`sd_listen_fds(3)` and `sd_notify(3)` are a few lines each; nothing happens where systemd did not start us.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from typing import Final

from saliscope.protocol.errors import SaliscopeError

log = logging.getLogger(__name__)

_FIRST_FD: Final = 3


def passed_socket() -> socket.socket | None:
    """The Unix socket that systemd listens on for us; None if it passed none."""
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit() or int(count) < 1:
        return None
    if int(count) > 1:
        log.warning("systemd passed %s sockets; only the first is served", count)
    sock = socket.socket(fileno=_FIRST_FD)
    sock.set_inheritable(False)
    if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
        # On TCP a token is asked for, which only --tcp sets up.
        raise SaliscopeError("bad_request", "systemd passed something else than a Unix stream socket; use --tcp")
    return sock


class Notifier:
    """Tells systemd how we are; silent where nobody listens."""

    def __init__(self) -> None:
        # Taken out of the environment: the workers are not the service.
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        usec, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        mine = pid in ("", str(os.getpid()))
        self.watchdog_s = int(usec) / 1e6 if usec.isdigit() and mine and self._address else 0.0

    def tell(self, **news: str) -> None:
        """Send `KEY=value` lines, like `READY="1"`."""
        if not self._address:
            return
        # A leading @ stands for the zero byte of an abstract address.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        message = "\n".join(f"{name}={value}" for name, value in news.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect(address)
                sock.send(message.encode())
        except OSError as error:
            log.warning("systemd did not hear us: %s", error.strerror)

    async def watch(self, status: Callable[[], str]) -> None:
        """Tell twice a watchdog period that the event loop turns, until cancelled."""
        while self.watchdog_s:
            self.tell(WATCHDOG="1", STATUS=status())
            await asyncio.sleep(self.watchdog_s / 2)
