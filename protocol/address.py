"""Addresses of daemons that listen on TCP: `tcp://127.0.0.1:7411`, `tcp://[::1]:7411`, or without `tcp://`."""

from __future__ import annotations

import os
import socket
from typing import Final, NamedTuple

from saliscope.protocol.errors import SaliscopeError

#: The daemon to speak to, in place of the one of this user on this machine.
CONNECT_VARIABLE: Final = "SALISCOPE_CONNECT"
_SCHEME: Final = "tcp://"


class Address(NamedTuple):
    """A host (a name, IPv4, or IPv6 without brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """The address as `parse` reads it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{_SCHEME}{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `HOST:PORT` or `tcp://HOST:PORT`; `bad_request` says what is wrong."""
        host, colon, port = text.removeprefix(_SCHEME).rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise SaliscopeError("bad_request", f"{text!r}: an IPv6 address stands in brackets: [::1]:7411")
        if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
            raise SaliscopeError("bad_request", f"{text!r} is no address; write tcp://HOST:PORT")
        return cls(host, int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        from ipaddress import ip_address

        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def connect(self, timeout: float) -> socket.socket:
        """A connected socket; `unavailable` if nobody answers within `timeout` seconds."""
        try:
            sock = socket.create_connection(self, timeout)
        except OSError as error:
            why = f"no daemon answers on {self} ({error.strerror or type(error).__name__}); is it started with --tcp?"
            raise SaliscopeError("unavailable", why) from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(None)
        return sock


def chosen() -> Address | None:
    """The address that the environment names; None for the daemon of this user on this machine."""
    text = os.environ.get(CONNECT_VARIABLE, "").strip()
    return Address.parse(text) if text else None
