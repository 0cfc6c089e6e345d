"""A glance at a running daemon: its status with a socket and msgpack alone, for prompts and status bars.

The typed client alone takes as long to import as this takes from start to answer.
"""

from __future__ import annotations

import socket
from typing import Any, Final

import msgpack

from saliscope import __version__
from saliscope.protocol import paths
from saliscope.protocol.address import chosen
from saliscope.protocol.errors import SaliscopeError, version_mismatch
from saliscope.protocol.token import known

#: The front answers at once, whatever its workers do; a daemon that does not is stuck.
TIMEOUT_S: Final = 10.0
_CHUNK: Final = 1 << 16
_MAX_BYTES: Final = 1 << 20


def glance() -> dict[str, Any] | None:
    """The fields of `results.Status`, None if no daemon runs; never starts one.

    Raises `protocol_mismatch` for a daemon of another version, `unavailable` for one that cannot be reached (one that
    SALISCOPE_CONNECT names also if it does not run), `unauthorized` where the token is wrong.
    """
    address = chosen()
    path = str(address or paths.socket_path())
    sock = connected(path) if address is None else address.connect(TIMEOUT_S)
    if sock is None:
        return None
    with sock:
        sock.settimeout(TIMEOUT_S)
        try:
            return _status(sock, None if address is None else known())
        except TimeoutError as error:
            raise SaliscopeError("timeout", "the daemon did not answer in time") from error
        except (OSError, EOFError):
            # It ended between our connect and its answer.
            return None
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise SaliscopeError("protocol_mismatch", f"what listens on {path} is no daemon of ours") from error


def connected(path: str, timeout_s: float | None = TIMEOUT_S) -> socket.socket | None:
    """A connection to the daemon's socket; None if nobody listens there."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout_s)
    try:
        sock.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        sock.close()
        return None
    except OSError as error:
        sock.close()
        raise SaliscopeError("unavailable", f"cannot reach the daemon on {path}: {error.strerror}") from error
    return sock


def _status(sock: socket.socket, token: str | None) -> dict[str, Any]:
    # Sent together: one round trip.
    wishes = {"client": "saliscope", "version": __version__, "notifications": False, "token": token}
    sock.sendall(msgpack.packb([0, 1, "initialize", [wishes]]) + msgpack.packb([0, 2, "status", [{}]]))
    unpacker = msgpack.Unpacker(max_buffer_size=_MAX_BYTES)
    answers: dict[int, dict[str, Any]] = {}
    while len(answers) < 2:
        data = sock.recv(_CHUNK)
        if not data:
            raise EOFError
        unpacker.feed(data)
        for kind, id, error, result in unpacker:
            if kind != 1 or not isinstance(result, dict | None):
                raise ValueError("not an answer")
            failure = None if error is None else SaliscopeError.from_wire(error)
            version = str((failure.data if failure else result or {}).get("version", ""))
            if failure is not None and failure.code == "shutting_down":
                raise EOFError
            if failure is not None and failure.code in ("unauthorized", "busy"):
                raise failure
            if id == 1 and version != __version__:
                raise version_mismatch(version)
            if failure is not None:
                raise failure
            answers[id] = result or {}
    return answers[2]
