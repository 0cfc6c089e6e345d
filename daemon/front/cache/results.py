"""Results that are kept: the newest in memory, all of them on disk."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec

from saliscope.daemon.front.cache.disk import Disk

log = logging.getLogger(__name__)

#: Bytes that are kept in memory.
IN_MEMORY: Final = 32 << 20
#: Results wait so long for each other on their way to the disk, or until there are so many.
_FLUSH_S: Final = 0.25
_FLUSH_AT: Final = 256


class Results:
    """Explanations by key, `most` bytes of them on disk; made on the event loop, the disk has a thread of its own."""

    def __init__(self, path: Path, most: int, in_memory: int = IN_MEMORY) -> None:
        self._thread = ThreadPoolExecutor(1, "saliscope-results")
        self._opening = self._thread.submit(_opened, path, most)
        self._memory: OrderedDict[bytes, bytes] = OrderedDict()
        self._in_memory, self._num_bytes = in_memory, 0
        self._waiting: dict[bytes, bytes] = {}
        self._flushing: asyncio.Task[None] | None = None
        self._full = asyncio.Event()
        self.hits = self.misses = self.num_damaged = 0

    async def get(self, keys: Sequence[bytes]) -> dict[bytes, dict[str, Any]]:
        """What is kept of these keys; one that is damaged is dropped and counts as none."""
        packed: dict[bytes, bytes] = {}
        for key in keys:
            value = self._memory.get(key) or self._waiting.get(key)
            if value is not None:
                packed[key] = value
        missing = [key for key in keys if key not in packed]
        if missing:
            packed |= await self._on_disk(lambda disk: disk.get(missing), {})
        found: dict[bytes, dict[str, Any]] = {}
        for key, value in packed.items():
            try:
                found[key] = msgspec.msgpack.decode(zlib.decompress(value), type=dict[str, Any])
            except (zlib.error, msgspec.DecodeError):
                await self._drop(key)
                continue
            self._remember(key, value)
        self.hits += sum(key in found for key in keys)
        self.misses += sum(key not in found for key in keys)
        return found

    def put(self, key: bytes, result: dict[str, Any]) -> None:
        """Keep a result, soon."""
        # Its own checksum tells when the disk gives back something else.
        value = zlib.compress(msgspec.msgpack.encode(result), 1)
        self._remember(key, value)
        self._waiting[key] = value
        if len(self._waiting) >= _FLUSH_AT:
            self._full.set()
        if self._flushing is None or self._flushing.done():
            self._full.clear()
            self._flushing = asyncio.create_task(self._flush())

    async def clear(self) -> tuple[int, int]:
        """Forget everything; the bytes that were freed in memory and on disk."""
        freed, self._num_bytes = self._num_bytes, 0
        self._memory.clear()
        self._waiting.clear()
        return freed, await self._on_disk(Disk.clear, 0)

    async def told(self) -> dict[str, int]:
        """What there is and how much it helped, for `status`."""
        entries, on_disk, damaged = await self._on_disk(
            lambda disk: (disk.num_entries(), disk.num_bytes(), disk.num_damaged), (len(self._memory), 0, 0)
        )
        return {
            "entries": entries, "memory": self._num_bytes, "disk": on_disk, "hits": self.hits, "misses": self.misses,
            "damaged": damaged + self.num_damaged,
        }  # fmt: skip

    async def close(self) -> None:
        """Write what waits, and close the file."""
        if self._flushing is not None and not self._flushing.done():
            self._full.set()
            await asyncio.wait({self._flushing})
        await self._on_disk(Disk.close, None)
        self._thread.shutdown()

    async def _flush(self) -> None:
        while self._waiting:
            try:
                async with asyncio.timeout(_FLUSH_S):
                    await self._full.wait()
            except TimeoutError:
                pass
            self._full.clear()
            items = [*self._waiting.items()]
            await self._on_disk(lambda disk, items=items: disk.put(items), None)
            for key, value in items:
                if self._waiting.get(key) is value:
                    del self._waiting[key]

    async def _drop(self, key: bytes) -> None:
        self.num_damaged += 1
        log.warning("a kept result was damaged and is forgotten")
        self._num_bytes -= len(self._memory.pop(key, b""))
        await self._on_disk(lambda disk: disk.drop(key), None)

    async def _on_disk(self, do: Any, otherwise: Any) -> Any:
        """What `do` says of the disk, on its thread; `otherwise` where there is none."""

        def run() -> Any:
            disk = self._opening.result()
            try:
                return otherwise if disk is None else do(disk)
            except sqlite3.Error as error:
                log.warning("the kept results cannot be read: %s", error)
                return otherwise

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _remember(self, key: bytes, value: bytes) -> None:
        self._num_bytes += len(value) - len(self._memory.get(key, b""))
        self._memory[key] = value
        self._memory.move_to_end(key)
        while self._num_bytes > self._in_memory and self._memory:
            self._num_bytes -= len(self._memory.popitem(last=False)[1])


def _opened(path: Path, most: int) -> Disk | None:
    try:
        return Disk(path, most)
    except (OSError, sqlite3.Error) as error:
        log.warning("results are kept in memory only: %s", error)
        return None
