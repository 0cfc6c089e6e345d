"""The asynchronous client: many calls at once on one connection; cancelling the awaiting task cancels the call."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from saliscope.protocol.codec import encode_notification, encode_request
from saliscope.protocol.connection import Connection
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Frame, Notification, Response
from saliscope.protocol.listening import OnNotification
from saliscope.protocol.processes import end_process
from saliscope.protocol.repeating import asked_again, may_repeat
from saliscope.protocol.results import Initialized
from saliscope.protocol.validate import read
from saliscope.protocol.verbs import Verbs
from saliscope.protocol.verbs.verb import Call
from saliscope.protocol.watching import Watcher, watcher_of

if TYPE_CHECKING:
    import subprocess

T = TypeVar("T")


class AsyncClient(Verbs):
    """Speaks to a daemon, or to a worker, over a socket; made by `AsyncClient.adopt` or `aconnect`.

    Verbs raise `SaliscopeError`. Callbacks run on the event loop; an error in one fails its call only. With `redial`,
    a client that has lost its daemon goes on with the socket that it gives, where each call that may be asked again is
    asked again.
    """

    def __init__(
        self,
        *,
        process: subprocess.Popen[bytes] | None = None,
        on_notification: OnNotification | None = None,
        redial: Callable[[], Awaitable[socket.socket]] | None = None,
    ) -> None:
        self._connection: Connection
        self._process = process
        self._listen = on_notification
        self._redial = redial
        self._redialing = asyncio.Lock()
        self._wishes: dict[str, Any] = {}
        self._watchers: dict[str, Watcher] = {}
        self._last_id = 0
        self._answers: dict[int, asyncio.Future[Response]] = {}
        self._listeners: dict[int, OnNotification] = {}

    @classmethod
    async def adopt(
        cls,
        sock: socket.socket,
        *,
        process: subprocess.Popen[bytes] | None = None,
        on_notification: OnNotification | None = None,
        redial: Callable[[], Awaitable[socket.socket]] | None = None,
    ) -> AsyncClient:
        """A client on a connected socket; notifications about no call of its own go to `on_notification`."""
        client = cls(process=process, on_notification=on_notification, redial=redial)
        await client._connect(sock)
        return client

    def new_id(self) -> int:
        """An id for one call, for those who must know it before the answer comes."""
        self._last_id = self._last_id % (2**32 - 1) + 1
        return self._last_id

    async def ask(self, call: Call[T]) -> T:
        """What a verb asks for; see `call`."""
        return call.read(await self.call(call.method, call.params, call.listen))

    async def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        on_notification: OnNotification | None = None,
        *,
        id: int | None = None,
    ) -> Any:
        """Send one request (under the `id` of `new_id`) and await its result; cancelling this task sends `$/cancel`."""
        num_lost = 0
        while True:
            connection = self._connection
            id = self.new_id() if id is None or num_lost else id
            try:
                return await self._once(id, method, params, on_notification)
            except SaliscopeError as error:
                if self._redial is None or not may_repeat(method, error, num_lost):
                    raise
            num_lost += 1
            if on_notification is not None:
                on_notification(asked_again(id))
            # A daemon that ends still answers what is in flight.
            await asyncio.wait({connection.closed})
            await self._take_over(connection)

    async def _once(
        self, id: int, method: str, params: dict[str, Any] | None, on_notification: OnNotification | None
    ) -> Any:
        if self._connection.failure is not None:
            raise self._connection.failure
        frame = encode_request(id, method, params or {})
        answer = asyncio.get_running_loop().create_future()
        self._answers[id] = answer
        if on_notification is not None:
            self._listeners[id] = on_notification
        try:
            self._connection.write(frame)
            response = await answer
        except BaseException:
            self.cancel(id)
            raise
        finally:
            del self._answers[id]
            self._listeners.pop(id, None)
        if response.error is not None:
            raise SaliscopeError.from_wire(response.error)
        return response.result

    def cancel(self, id: int) -> None:
        """Ask for the end of a request (`id` as partials and progress carry it); it answers with `cancelled`."""
        self._connection.write(encode_notification("$/cancel", {"id": id}))

    @property
    def is_open(self) -> bool:
        """Whether the peer is still there, as far as we know."""
        return self._connection.failure is None

    async def closed(self, unless: asyncio.Future[Any] | None = None) -> None:
        """Wait until the connection is lost or closed, or until `unless` is done."""
        lost = self._connection.closed
        waited = {lost} if unless is None else {lost, unless}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)

    async def initialize(self, *, client: str = "saliscope", **params: Any) -> Initialized:
        """Open the session: array errors and notifications, unless `params` (of `Initialize`) say otherwise."""
        from saliscope import __version__

        fields = {"client": client, "version": __version__, **params}
        self._wishes = params
        return read(await self.call("initialize", fields), Initialized)

    async def close(self) -> None:
        """Close the connection; calls that still wait fail, a private worker ends with it."""
        self._redial = None
        self._connection.close()
        await self.closed()
        if self._process is not None:
            await asyncio.to_thread(end_process, self._process)
            self._process = None

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _connect(self, sock: socket.socket) -> None:
        self._connection = await Connection.open(sock, self._dispatch, self._lose)

    async def _take_over(self, lost: Connection) -> None:
        """A new connection in place of the lost one; calls that lost it together share the new one."""
        async with self._redialing:
            if self._connection is not lost or self._redial is None:
                return
            await self._connect(await self._redial())
            if self._wishes:
                await self.initialize(**self._wishes)

    def _lose(self, failure: SaliscopeError) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(failure)

    def _dispatch(self, frame: Frame) -> None:
        if isinstance(frame, Response):
            answer = self._answers.get(frame.id)
            # A cancelled call is answered too; nobody waits for it any more.
            if answer is not None and not answer.done():
                answer.set_result(frame)
        elif isinstance(frame, Notification):
            id: Any = (frame.params or {}).get("id")
            listen = self._listeners.get(id)
            if listen is None and (watcher := watcher_of(self._watchers, frame)) is not None:
                self._tell(watcher, frame)
                return
            if listen is None:
                if self._listen is not None:
                    self._listen(frame)
                return
            try:
                listen(frame)
            except Exception as error:
                answer = self._answers[id]
                if not answer.done():
                    answer.set_exception(error)

    def _tell(self, watcher: Watcher, frame: Notification) -> None:
        try:
            watcher.hear(frame)
        except Exception as error:
            # There is no call that could fail with it.
            told = {"message": "a callback about a document failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(told)
