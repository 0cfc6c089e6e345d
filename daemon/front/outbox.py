"""What waits to be written to one client: answers are kept, replaceable news only in its newest form."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Final

#: A client that lets more than this pile up is dropped.
MAX_QUEUED: Final = 64 << 20
#: How much the transport may hold by itself; what it has can no longer be replaced.
_HIGH_WATER: Final = 1 << 18


class Outbox:
    """Frames in order, written as fast as the client reads them."""

    def __init__(self, writer: asyncio.StreamWriter, max_queued: int = MAX_QUEUED) -> None:
        self._writer = writer
        self._writer.transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._max_queued = max_queued
        self._frames: dict[Hashable, bytes] = {}
        self._num_bytes = 0
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def send(self, frame: bytes) -> None:
        """Queue a frame that must arrive; over the limit the client is disconnected instead."""
        self.replace(object(), frame)

    def replace(self, key: Hashable, frame: bytes) -> None:
        """Queue a frame, in the place of the one with the same key if that still waits."""
        self._num_bytes += len(frame) - len(self._frames.get(key, b""))
        self._frames[key] = frame
        self._empty.clear()
        self._filled.set()
        if self._num_bytes > self._max_queued:
            self._writer.transport.abort()

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
                    await self._writer.drain()
                self._empty.set()
        except ConnectionError:
            return
        finally:
            self._empty.set()

    async def flush(self, limit_s: float) -> None:
        """Wait until everything queued is with the transport, or the client is gone, at most `limit_s`."""
        await asyncio.wait({asyncio.ensure_future(self._empty.wait())}, timeout=limit_s)
