"""What leaves the worker: answers, errors and notifications, counted."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from saliscope.protocol.codec import encode_notification, encode_response
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import CLIENT_LIMITS

PROGRESS_EVERY_S = 0.1


class Outlet:
    """Writes frames to the peer; `open` turns false when it has gone (nothing is owed to anybody else)."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.open = True
        self.on_answered: Callable[[int], None] = lambda request_id: None
        """Told of each request when it is answered, which happens exactly once."""
        self.counters = {"answers": 0, "errors": 0, "cancelled": 0}

    def answer(self, request_id: int, result: dict[str, Any]) -> None:
        """Answer a request with its result."""
        frame = encode_response(request_id, None, result)
        if len(frame) > CLIENT_LIMITS.frame:
            size = f"{len(frame):,} bytes, the limit is {CLIENT_LIMITS.frame:,}"
            self.fail(request_id, SaliscopeError("too_large", f"the answer has {size}; ask for fewer texts at once"))
            return
        self.counters["answers"] += 1
        self._send(frame)
        self.on_answered(request_id)

    def fail(self, request_id: int, error: SaliscopeError) -> None:
        """Answer a request with its error."""
        self.counters["cancelled" if error.code == "cancelled" else "errors"] += 1
        self._send(encode_response(request_id, error.to_wire("array"), None))
        self.on_answered(request_id)

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification."""
        self._send(encode_notification(method, params))

    def stage(self, request_id: int, stage: str, done: float = 0.0, total: float = 0.0) -> None:
        """Tell what a request is waiting for, and how far it is where that is known."""
        counts = {"done": done, "total": total} if total else {}
        self.notify("$/progress", {"id": request_id, "stage": stage, **counts})

    def counting(self, request_id: int, stage: str = "explaining") -> Callable[[int, int], None]:
        """A function of (done, total) that tells the progress of a request, not too often."""
        last = 0.0

        def count(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= PROGRESS_EVERY_S and done < total:
                last = now
                self.notify("$/progress", {"id": request_id, "stage": stage, "done": done, "total": total})

        return count

    def _send(self, frame: bytes) -> None:
        try:
            self._sock.sendall(frame)
        except OSError:
            self.open = False
