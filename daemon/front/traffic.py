"""The requests in flight: whether one more is taken, how they end, and how the daemon waits for the last of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from saliscope.daemon.front.limits import FrontLimits
from saliscope.protocol.errors import SaliscopeError


class Traffic:
    """How much goes on; `closing` is set when no more is taken, `stopped` when the last has been answered."""

    def __init__(self, limits: FrontLimits) -> None:
        self.num_sessions = 0
        self.closing = asyncio.Event()
        self.stopped = asyncio.Event()
        self._limits = limits
        self._running: set[asyncio.Task[Any]] = set()
        self._num_bytes = 0
        self._counts: Counter[str] = Counter()
        self._used = time.monotonic()
        self._draining: asyncio.Task[int] | None = None

    @contextmanager
    def admitted(self, num_bytes: int) -> Iterator[None]:
        """Within, the current task is a request in flight, whose frame had `num_bytes`.

        Raises `shutting_down` or `busy` where it is not taken.
        """
        self.check_open()
        if len(self._running) >= self._limits.all_requests:
            raise SaliscopeError("busy", f"{len(self._running)} requests are in flight; try again in a moment")
        if self._num_bytes and self._num_bytes + num_bytes > self._limits.all_bytes:
            raise SaliscopeError("busy", f"requests of {self._num_bytes:,} bytes are in flight; try again in a moment")
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        self._num_bytes += num_bytes
        outcome = "failed"
        try:
            yield
            outcome = "answered"
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self._counts[outcome] += 1
            self._running.remove(task)
            self._num_bytes -= num_bytes

    def check_open(self) -> None:
        """Raise `shutting_down` if no more is taken."""
        if self.closing.is_set():
            raise SaliscopeError("shutting_down", "the daemon is shutting down; the next command starts a new one")

    def counts(self) -> dict[str, int]:
        """Requests in flight, and how those that ended did."""
        return {"in_flight": len(self._running), **self._counts}

    @property
    def idle_s(self) -> float:
        """Seconds since the last connection and the last request ended; 0 while there is one."""
        return 0.0 if self.num_sessions or self._running else time.monotonic() - self._used

    def was_used(self) -> None:
        """Begin to count idle time anew."""
        self._used = time.monotonic()

    def summary(self) -> str:
        """How much goes on, in a line for people."""
        return f"{self.num_sessions} connections, {len(self._running)} requests in flight"

    def shut_down(self) -> asyncio.Task[int]:
        """Take no new requests, let those in flight end, then set `stopped`; the task gives their number."""
        if self._draining is None:
            self.closing.set()
            self._draining = asyncio.create_task(self._drain())
        return self._draining

    def hurry(self) -> None:
        """Cancel the requests in flight."""
        for task in self._running:
            task.cancel()

    async def _drain(self) -> int:
        running = set(self._running)
        if running:
            _, late = await asyncio.wait(running, timeout=self._limits.drain_s)
            for task in late:
                task.cancel()
        self.stopped.set()
        return len(running)
