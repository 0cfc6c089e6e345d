"""One connection: reads requests, runs each as a task, writes answers and notifications."""

from __future__ import annotations

import asyncio
import logging
import traceback
from functools import partial
from typing import Any, Final

from msgspec import Struct

from saliscope.daemon.front.dialect import Dialect
from saliscope.daemon.front.outbox import MAX_QUEUED, Outbox
from saliscope.daemon.front.router import Router
from saliscope.protocol.codec import (
    CHUNK,
    SERVER_LIMITS,
    Decoder,
    Frame,
    FrameError,
    Notification,
    Request,
    Response,
)
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.parameters import Cancel, Initialize
from saliscope.protocol.validate import parse

log = logging.getLogger(__name__)

#: How long a closing connection may take to read what is queued for it.
FLUSH_S: Final = 2.0


class SessionLimits(Struct, frozen=True):
    """What one client may do: requests at a time, seconds for one frame, bytes it leaves unread."""

    requests: int = 64
    frame_s: float = 30.0
    queued: int = MAX_QUEUED


class Session:
    """Everything that belongs to one client; its end cancels what it has asked for."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, router: Router, limits: SessionLimits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._router = router
        self._limits = limits
        self._origin = router.new_origin()
        self._dialect = Dialect()
        self._outbox = Outbox(writer, limits.queued)
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve until the client leaves or breaks the framing."""
        writing = asyncio.create_task(self._outbox.run())
        try:
            await self._read()
        except FrameError as error:
            log.warning("closing a connection: %s", error.message)
            self._notify("$/error", {"code": error.code, "message": error.message}, "$/error")
            await self._outbox.flush(FLUSH_S)
        except ConnectionError:
            log.debug("a client vanished")
        finally:
            for task in self._tasks.values():
                task.cancel()
            writing.cancel()
            self._writer.close()

    async def finish(self) -> None:
        """Answer what is in flight, hand everything to the client, and close; `run` returns then."""
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        await self._outbox.flush(FLUSH_S)
        self._writer.close()

    async def _read(self) -> None:
        decoder = Decoder(SERVER_LIMITS)
        deadline: float | None = None
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    data = await self._reader.read(CHUNK)
            except TimeoutError as error:
                message = f"a frame took more than {self._limits.frame_s:g} s to arrive"
                raise FrameError(message, "timeout") from error
            if not data:
                return
            num_frames = 0
            for frame in decoder.frames(data):
                num_frames += 1
                self._take(frame)
            if not decoder.is_mid_frame:
                deadline = None
            elif num_frames or deadline is None:
                deadline = asyncio.get_running_loop().time() + self._limits.frame_s

    def _take(self, frame: Frame) -> None:
        match frame:
            case Request():
                try:
                    self._start(frame)
                except SaliscopeError as error:
                    self._outbox.send(self._dialect.failure(frame.id, error))
            case Notification("$/cancel", dict(params)):
                self._cancel(params)
            case Notification():
                log.debug("ignored a notification")
            case Response():
                raise FrameError("a client sends no responses")

    def _start(self, request: Request) -> None:
        if request.params is None:
            raise SaliscopeError("bad_request", "the parameters of a request are one map: [0, id, method, [{}]]")
        if request.id in self._tasks:
            raise SaliscopeError("bad_request", f"a request with id {request.id} is still in flight")
        if len(self._tasks) >= self._limits.requests:
            raise SaliscopeError(
                "busy", f"{len(self._tasks)} requests of this connection are in flight; wait for an answer"
            )
        if request.method == "initialize":
            self._initialize(request.id, request.params)
            return
        task = asyncio.create_task(self._answer(request.id, request.method, request.params))
        self._tasks[request.id] = task
        task.add_done_callback(partial(self._done, request.id))

    def _initialize(self, id: int, params: dict[str, Any]) -> None:
        wishes, warnings = parse(Initialize, params)
        # A refusal, too, comes in the style that was asked for.
        self._dialect = Dialect.of(wishes)
        self._outbox.send(self._dialect.answer(id, self._router.initialize(wishes, warnings)))

    async def _answer(self, id: int, method: str, params: dict[str, Any]) -> None:
        forward = partial(self._forward, id) if self._dialect.notifications else None
        try:
            frame = self._dialect.answer(id, await self._router.handle(method, params, forward, self._origin))
        except SaliscopeError as error:
            frame = self._dialect.failure(id, error)
        except Exception as error:
            # Frames only: the message may quote a text, and texts are never logged.
            log.error(
                "%s failed: %s\n%s",
                method,
                type(error).__name__,
                "".join(traceback.format_tb(error.__traceback__)),
            )
            frame = self._dialect.failure(id, SaliscopeError("internal", f"{type(error).__name__}: {error}"))
        self._outbox.send(frame)

    def _done(self, id: int, task: asyncio.Task[None]) -> None:
        del self._tasks[id]
        if task.cancelled():
            self._outbox.send(self._dialect.failure(id, SaliscopeError("cancelled", "the request was cancelled")))

    def _cancel(self, params: dict[str, Any]) -> None:
        try:
            wish, _ = parse(Cancel, params)
        except SaliscopeError as error:
            log.info("ignored $/cancel: %s", error.message)
            return
        # Not there: its answer is on the way.
        if wish.id in self._tasks:
            self._tasks[wish.id].cancel()

    def _forward(self, id: int, notification: Notification) -> None:
        """Pass a worker's notification on under the client's id; a newer one takes the place of one unread."""
        params = {**(notification.params or {}), "id": id}
        self._notify(notification.method, params, (notification.method, id))

    def _notify(self, method: str, params: dict[str, Any], key: object) -> None:
        frame = self._dialect.notification(method, params)
        if frame is not None:
            self._outbox.replace(key, frame)
