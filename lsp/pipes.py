"""What a client writes on a pipe, cut into messages on the loop."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import stat
from collections.abc import Callable
from typing import BinaryIO, Final

log = logging.getLogger(__name__)

_BLANK: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"^Content-Length: *(\d{1,10}) *\r\n", re.IGNORECASE | re.MULTILINE)


async def read_pipe(stdin: BinaryIO, take: Callable[[bytes], None]) -> None:
    """Hand each message of the client to `take` until it leaves."""
    reading = Reading(take)
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: reading, stdin)
    try:
        await reading.ended
    finally:
        pipe.close()


class Reading(asyncio.Protocol):
    """Cuts what the client writes into messages, on the loop; `ended` is done when it has left."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take, self._unread = take, bytearray()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Hand on the messages that these bytes complete."""
        self._unread += data
        while (head := self._unread.find(_BLANK)) >= 0:
            length = _LENGTH.search(self._unread, 0, head + len(_BLANK))
            begin = head + len(_BLANK)
            end = begin + (0 if length is None else int(length[1]))
            if len(self._unread) < end:
                return
            body = bytes(self._unread[begin:end])
            del self._unread[:end]
            if body:
                self._take(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left."""
        if self._unread:
            log.info("the client has gone within a message")
        if not self.ended.done():
            self.ended.set_result(None)


def is_pipe(stdin: BinaryIO, stdout: BinaryIO) -> bool:
    """Whether reading may be made not to block: a pipe or a socket that is not written to as well."""
    read, written = os.fstat(stdin.fileno()), os.fstat(stdout.fileno())
    is_stream = stat.S_ISFIFO(read.st_mode) or stat.S_ISSOCK(read.st_mode)
    return os.name == "posix" and is_stream and (read.st_dev, read.st_ino) != (written.st_dev, written.st_ino)
