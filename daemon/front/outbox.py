"""What waits to be written to one client: answers are kept, replaceable news only in its newest form."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Hashable
from typing import Final

log = logging.getLogger(__name__)

#: A client that lets more than this pile up is dropped.
MAX_QUEUED: Final = 64 << 20
#: From a client that lets more than this pile up, no more requests are read meanwhile.
FULL: Final = 4 << 20
#: A client that has read nothing for so many seconds while something waited for it is dropped.
STUCK_S: Final = 30.0
#: How much the transport may hold by itself; what it has can no longer be replaced.
_HIGH_WATER: Final = 1 << 18


class Outbox:
    """Frames in order, written as fast as the client reads them; limits in bytes and seconds."""

    def __init__(
        self, writer: asyncio.StreamWriter, max_queued: int = MAX_QUEUED, full: int = FULL, stuck_s: float = STUCK_S
    ) -> None:
        self._writer = writer
        self._writer.transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._max_queued, self._full, self._stuck_s = max_queued, full, stuck_s
        self._frames: dict[Hashable, bytes] = {}
        self._num_bytes = 0
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._has_room = asyncio.Event()
        self._has_room.set()

    @property
    def is_full(self) -> bool:
        """Whether so much waits that nothing more should be asked for."""
        return not self._has_room.is_set()

    async def room(self) -> None:
        """Wait until the client has read enough, or is gone."""
        await self._has_room.wait()

    def send(self, frame: bytes) -> None:
        """Queue a frame that must arrive; over the limit the client is disconnected instead."""
        self.replace(object(), frame)

    def replace(self, key: Hashable, frame: bytes) -> None:
        """Queue a frame, in the place of the one with the same key if that still waits."""
        self._num_bytes += len(frame) - len(self._frames.get(key, b""))
        self._frames[key] = frame
        self._empty.clear()
        self._filled.set()
        if self._num_bytes > self._full:
            self._has_room.clear()
        if self._num_bytes > self._max_queued:
            self._drop(f"{self._num_bytes:,} bytes wait for it")

    async def run(self) -> None:
        """Write until cancelled or until the client is gone."""
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._frames:
                    frame = self._frames.pop(next(iter(self._frames)))
                    self._num_bytes -= len(frame)
                    self._writer.write(frame)
                    await self._drain()
                    if self._num_bytes <= self._full // 2:
                        self._has_room.set()
                self._empty.set()
        except ConnectionError:
            return
        finally:
            self._empty.set()
            self._has_room.set()

    async def flush(self, limit_s: float) -> None:
        """Wait until everything queued is with the transport, or the client is gone, at most `limit_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._empty.wait()

    async def _drain(self) -> None:
        """Wait until the transport takes more; a client that reads slowly has time, one that reads nothing has not."""
        left = self._writer.transport.get_write_buffer_size()
        while True:
            try:
                async with asyncio.timeout(self._stuck_s):
                    await self._writer.drain()
                return
            except TimeoutError:
                before, left = left, self._writer.transport.get_write_buffer_size()
                if left >= before:
                    self._drop(f"it has read nothing for {self._stuck_s:g} s")
                    raise ConnectionAbortedError from None

    def _drop(self, reason: str) -> None:
        if not self._writer.transport.is_closing():
            log.warning("dropped a client that does not read: %s", reason)
        self._writer.transport.abort()
