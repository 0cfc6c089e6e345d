"""What runs as a Ray actor, one per device: it starts the same worker as on one machine, and carries its bytes."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

from saliscope import __version__
from saliscope.daemon.engines.worker import end_of
from saliscope.daemon.engines.zygote import ZygoteChild, ZygoteSpawner
from saliscope.protocol.codec import CHUNK

#: Bytes of answers that are fetched at once, at most.
MOST: Final = 4 * CHUNK


class Host:
    """Hosts one worker at a time, a process of its own: a row that kills it does not kill the actor, which says then
    what was being computed, and forks the next one in no time.

    `environment` is added to that of the workers.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        os.environ |= environment
        self._spawner = ZygoteSpawner()
        self._child: ZygoteChild | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> tuple[str, str]:
        """Start a worker; the version of our code here, and the name of this machine."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._child = await self._spawner.spawn(theirs)
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        return __version__, socket.gethostname()

    async def write(self, data: bytes) -> None:
        """Bytes for the worker; the next may be sent when this has returned."""
        assert self._writer is not None
        self._writer.write(data)
        await self._writer.drain()

    async def read(self) -> bytes:
        """What the worker says next, waiting for it; empty when it has closed its end."""
        assert self._reader is not None
        try:
            return await self._reader.read(MOST)
        except ConnectionError:
            return b""

    async def close(self) -> None:
        """Close the worker's socket, which ends it."""
        if self._writer is not None:
            self._writer.close()

    async def ended(self) -> tuple[str, tuple[int, ...]]:
        """How the worker has ended, and the requests that it was computing then."""
        assert self._child is not None
        await self.close()
        end = await end_of(self._child)
        return end.how, end.computing
