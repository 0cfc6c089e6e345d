"""One connection: reads requests, runs each as a task, writes answers and notifications."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Hashable
from functools import partial
from typing import Any, Final

from saliscope.daemon.front.dialect import Dialect
from saliscope.daemon.front.handshake import first_request
from saliscope.daemon.front.limits import FrontLimits
from saliscope.daemon.front.live.documents import Documents
from saliscope.daemon.front.options import Options
from saliscope.daemon.front.outbox import Outbox
from saliscope.daemon.front.outcome import Asked, Outcome, log_request
from saliscope.daemon.front.peer import Peer
from saliscope.daemon.front.router import Router
from saliscope.protocol.codec import CHUNK, Decoder
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import SERVER_LIMITS, Frame, FrameError, Notification, Request, Response
from saliscope.protocol.parameters import Cancel, Initialize
from saliscope.protocol.validate import parse

log = logging.getLogger(__name__)

#: How long a closing connection may take to read what is queued for it.
FLUSH_S: Final = 2.0


class Session:
    """Everything that belongs to one client; its end cancels what it has asked for."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        router: Router,
        limits: FrontLimits,
        peer: Peer,
        options: Options,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._router = router
        self._limits = limits
        self._peer = peer
        self._log_texts = options.log_texts
        self._dialect = Dialect()
        self._outbox = Outbox(writer, limits.queued, limits.full, limits.stuck_s)
        self._tasks: dict[int, asyncio.Task[Outcome]] = {}
        ask = partial(router.ask, peer=peer)
        self._documents = Documents(ask, self._notify, self._outbox.room, limits, router.num_characters)

    async def enter(self) -> bytes | None:
        """Wait for `initialize` with the token, and answer it; the bytes behind it, or None if there is no entering."""
        writing = asyncio.create_task(self._outbox.run())
        entered: bytes | None = None
        try:
            request, rest = await first_request(self._reader, self._limits.handshake_s)
            if request.method != "initialize" or not self._peer.is_known_by(_token(request)):
                log.warning("client %d has not shown the token", self._peer.origin.client)
                await asyncio.sleep(self._limits.refusal_s)
                self._refuse(request, "unauthorized", "the first request on TCP is `initialize` with the token")
            else:
                self._take(request, 0)
                entered = rest
            await self._outbox.flush(FLUSH_S)
        except FrameError as error:
            log.warning("closing a connection without a token: %s", error.message)
        except ConnectionError:
            log.debug("a client vanished")
        finally:
            writing.cancel()
            if entered is None:
                self._writer.close()
        return entered

    async def refuse(self, reason: str) -> None:
        """Answer the first request with `busy`, and close."""
        writing = asyncio.create_task(self._outbox.run())
        try:
            request, _ = await first_request(self._reader, self._limits.handshake_s)
            self._refuse(request, "busy", reason)
            await self._outbox.flush(FLUSH_S)
        except (FrameError, ConnectionError):
            log.debug("a client beyond the limit left")
        finally:
            writing.cancel()
            self._writer.close()

    async def run(self, rest: bytes = b"") -> None:
        """Serve until the client leaves or breaks the framing; `rest` are bytes that were read before."""
        writing = asyncio.create_task(self._outbox.run())
        self._router.documents[self._peer.origin.client] = self._documents
        try:
            await self._read(rest)
        except FrameError as error:
            log.warning("closing a connection: %s", error.message)
            self._notify("$/error", {"code": error.code, "message": error.message}, "$/error")
            await self._outbox.flush(FLUSH_S)
        except ConnectionError:
            log.debug("a client vanished")
        finally:
            for task in self._tasks.values():
                task.cancel()
            del self._router.documents[self._peer.origin.client]
            self._documents.close()
            writing.cancel()
            self._writer.close()

    async def finish(self) -> None:
        """Answer what is in flight, hand everything to the client, and close; `run` returns then."""
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        self._documents.close()
        await self._outbox.flush(FLUSH_S)
        self._writer.close()

    async def _read(self, rest: bytes) -> None:
        decoder = Decoder(SERVER_LIMITS)
        deadline: float | None = None
        while True:
            if self._outbox.is_full:
                # Whoever does not read the answers is asked for no more questions; that time is not the frame's.
                await self._outbox.room()
                deadline = deadline and asyncio.get_running_loop().time() + self._limits.frame_s
            try:
                async with asyncio.timeout_at(deadline):
                    data = rest or await self._reader.read(CHUNK)
                    rest = b""
            except TimeoutError as error:
                message = f"a frame took more than {self._limits.frame_s:g} s to arrive"
                raise FrameError(message, "timeout") from error
            if not data:
                return
            num_frames, num_read = 0, decoder.num_read
            for frame in decoder.frames(data):
                num_frames += 1
                self._take(frame, decoder.num_read - num_read)
                num_read = decoder.num_read
            if not decoder.is_mid_frame:
                deadline = None
            elif num_frames or deadline is None:
                deadline = asyncio.get_running_loop().time() + self._limits.frame_s

    def _take(self, frame: Frame, num_bytes: int) -> None:
        match frame:
            case Request():
                try:
                    self._start(frame, num_bytes)
                except SaliscopeError as error:
                    self._outbox.send(self._dialect.failure(frame.id, error))
            case Notification("$/cancel", dict(params)):
                self._cancel(params)
            case Notification():
                log.debug("ignored a notification")
            case Response():
                raise FrameError("a client sends no responses")

    def _start(self, request: Request, num_bytes: int) -> None:
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
        task = asyncio.create_task(self._answer(request.id, request.method, request.params, num_bytes))
        self._tasks[request.id] = task
        asked = Asked(request, self._peer.origin.client, num_bytes, time.perf_counter(), self._log_texts)
        task.add_done_callback(partial(self._done, asked))

    def _initialize(self, id: int, params: dict[str, Any]) -> None:
        wishes, warnings = parse(Initialize, params)
        # A refusal, too, comes in the style that was asked for.
        self._dialect = Dialect.of(wishes)
        self._outbox.send(self._dialect.answer(id, self._router.initialize(wishes, warnings)))

    async def _answer(self, id: int, method: str, params: dict[str, Any], num_bytes: int) -> Outcome:
        forward = partial(self._forward, id) if self._dialect.notifications else None
        try:
            result = await self._router.handle(method, params, forward, self._peer, num_bytes)
            return Outcome.answered(self._dialect.answer(id, result), result)
        except SaliscopeError as error:
            return Outcome(self._dialect.failure(id, error), error.code)
        except Exception as error:
            # Frames only: the message may quote a text, and texts are never logged.
            log.error(
                "%s failed: %s\n%s",
                method,
                type(error).__name__,
                "".join(traceback.format_tb(error.__traceback__)),
            )
            failure = SaliscopeError("internal", f"{type(error).__name__}: {error}")
            return Outcome(self._dialect.failure(id, failure), failure.code)

    def _done(self, asked: Asked, task: asyncio.Task[Outcome]) -> None:
        """Send the answer, and have its line written into the log."""
        id = asked.request.id
        del self._tasks[id]
        if task.cancelled():
            failure = self._dialect.failure(id, SaliscopeError("cancelled", "the request was cancelled"))
            outcome = Outcome(failure, "cancelled")
        else:
            outcome = task.result()
        self._outbox.send(outcome.frame)
        # Soon, not now: the answer is on its way before its line is written.
        asyncio.get_running_loop().call_soon(log_request, asked, outcome)

    def _refuse(self, request: Request, code: str, reason: str) -> None:
        self._dialect = Dialect.asked_by(request)
        self._outbox.send(self._dialect.failure(request.id, SaliscopeError(code, reason)))

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
        """Pass a worker's notification on under the client's id; a newer one takes the place of one unread.

        What a model writes is told piece by piece, so there every piece arrives.
        """
        params = {**(notification.params or {}), "id": id}
        is_piece = notification.method == "generate/partial"
        self._notify(notification.method, params, object() if is_piece else (notification.method, id))

    def _notify(self, method: str, params: dict[str, Any], key: Hashable) -> None:
        frame = self._dialect.notification(method, params)
        if frame is not None:
            self._outbox.replace(key, frame)


def _token(request: Request) -> str | None:
    token = (request.params or {}).get("token")
    return token if isinstance(token, str) else None
