"""One socket of an asynchronous client: frames are handed on as they are read, without a task in between."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from saliscope.protocol.codec import CHUNK, Decoder
from saliscope.protocol.errors import DisconnectedError, SaliscopeError
from saliscope.protocol.frames import CLIENT_LIMITS, Frame, FrameError, Notification
from saliscope.protocol.listening import failure_of


class Connection(asyncio.Protocol):
    """`hear` gets each frame, `lose` once why there will be no more; `closed` is done when the socket is closed."""

    def __init__(self, hear: Callable[[Frame], None], lose: Callable[[SaliscopeError], None]) -> None:
        self._hear, self._lose = hear, lose
        self._decoder = Decoder(CLIENT_LIMITS)
        self._announced: SaliscopeError | None = None
        self.failure: SaliscopeError | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, sock: socket.socket, hear: Callable[[Frame], None], lose: Callable[[SaliscopeError], None]
    ) -> Connection:
        """A connection on a connected socket."""
        _, connection = await asyncio.get_running_loop().create_connection(lambda: cls(hear, lose), sock=sock)
        return connection

    def write(self, frame: bytes) -> None:
        """Send a frame; nothing happens on a connection that is lost."""
        if self.failure is None:
            self._transport.write(frame)

    def close(self, failure: SaliscopeError | None = None) -> None:
        """Nothing travels from now on; `failure` says why, for those who wait for an answer."""
        if self.failure is None:
            self.failure = failure or self._announced or DisconnectedError()
            self._transport.close()
            self._lose(self.failure)

    # -- what the loop calls ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ours."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand on the frames that these bytes complete; the stream is lost behind one that cannot be read."""
        try:
            for at in range(0, len(data), CHUNK):
                for frame in self._decoder.frames(data[at : at + CHUNK]):
                    if isinstance(frame, Notification):
                        self._announced = self._announced or failure_of(frame)
                    self._hear(frame)
        except FrameError as error:
            # It is lost to every call on it, whoever's frame it was.
            self.close(DisconnectedError(f"the peer sent what cannot be read ({error.message})"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed, by us or by the peer."""
        if isinstance(exc, OSError) and self._announced is None:
            self.close(DisconnectedError(f"the connection was lost ({exc.strerror})"))
        else:
            self.close()
        if not self.closed.done():
            self.closed.set_result(None)
