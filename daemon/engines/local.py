"""The engine of one machine: a worker process, started when first needed and replaced when it dies."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any, Final, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from saliscope.daemon.engines import NOBODY
from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.codec import Notification
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.origin import Origin
from saliscope.protocol.requests import DisconnectedError, OnNotification
from saliscope.protocol.results import MethodInfo

log = logging.getLogger(__name__)

#: How often a request is tried: once more after the worker that ran it has died.
MAX_ATTEMPTS: Final = 2
#: How long `status` waits for a worker before it tells what was known.
FACTS_S: Final = 0.05
#: How long a worker's end may follow the end of its socket.
END_S: Final = 5.0


class Child(Protocol):
    """A worker process, as the one who made it sees it."""

    pid: int

    async def ended(self) -> str:
        """Wait for its end and say how it came: "signal 9", "exit status 1"."""

    def kill(self) -> None:
        """End it now."""


class Spawner(Protocol):
    """Makes worker processes."""

    async def spawn(self, sock: socket.socket) -> Child:
        """A worker that speaks on `sock`; `internal` if none can be made."""

    async def close(self) -> None:
        """End all of them."""


class Ready(Struct):
    """What a worker says first (`worker/ready`)."""

    pid: int
    device: str
    version: str
    methods: list[MethodInfo]


class Worker(NamedTuple):
    """A worker that has said that it is ready."""

    client: AsyncClient
    child: Child
    ready: Ready


class LocalEngine:
    """One worker at a time from `spawner`; concurrent requests share it and its start."""

    def __init__(self, spawner: Spawner) -> None:
        self._spawner = spawner
        self._start: asyncio.Task[Worker] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._facts: dict[str, Any] = {}
        self._num_starts = 0

    async def call(
        self,
        method: str,
        params: dict[str, Any],
        on_notification: OnNotification | None = None,
        origin: Origin = NOBODY,
    ) -> Any:
        """See `Engine`; a request whose worker dies runs once more, then fails as `internal` with the reason."""
        reason = ""
        for _ in range(MAX_ATTEMPTS):
            worker = await self._worker(on_notification)
            try:
                return await worker.client.call(method, origin.added_to(params), on_notification)
            except DisconnectedError:
                reason = await _end_of(worker)
        raise SaliscopeError(
            "internal",
            f"the worker ended {MAX_ATTEMPTS} times while it ran this request ({reason}); "
            "send it alone, or with a shorter text",
            {"reason": reason},
        )

    async def facts(self) -> list[dict[str, Any]]:
        """See `Engine`; one that starts or has ended is listed with this state only."""
        if self._start is None:
            return []
        if not self._start.done():
            return [{"state": "starting"}]
        worker = self._living()
        if worker is None:
            return [{"state": "ended"}]
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._ask(worker))
        # The question goes on after the limit: the next `status` knows more.
        await asyncio.wait({self._probe}, timeout=FACTS_S)
        known = {"pid": worker.ready.pid, "device": worker.ready.device}
        latest = self._facts if self._facts.get("pid") == worker.ready.pid else {}
        return [{"state": "ready", "restarts": self._num_starts - 1, **known, **latest}]

    def catalogue(self) -> list[MethodInfo] | None:
        """See `Engine`."""
        worker = self._living()
        return worker.ready.methods if worker is not None else None

    async def close(self) -> None:
        """See `Engine`."""
        if self._start is not None:
            self._start.cancel()
            await asyncio.wait({self._start})
            if not self._start.cancelled() and self._start.exception() is None:
                await self._start.result().client.close()
        await self._spawner.close()

    def _living(self) -> Worker | None:
        start = self._start
        if start is None or not start.done() or start.cancelled() or start.exception() is not None:
            return None
        return start.result() if start.result().client.is_open else None

    async def _worker(self, on_notification: OnNotification | None) -> Worker:
        if self._start is None or (self._start.done() and self._living() is None):
            self._start = asyncio.create_task(self._start_worker())
        if not self._start.done() and on_notification is not None:
            on_notification(Notification("$/progress", {"stage": "starting the worker"}))
        # Shielded: whoever asked first may cancel, the others still want the worker.
        return await asyncio.shield(self._start)

    async def _start_worker(self) -> Worker:
        announced: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()

        def listen(notification: Notification) -> None:
            if notification.method == "worker/ready" and not announced.done():
                announced.set_result(msgspec.convert(notification.params, Ready))

        self._num_starts += 1
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                child = await self._spawner.spawn(theirs)
            except BaseException:
                ours.close()
                raise
        client = await AsyncClient.adopt(ours, on_notification=listen)
        try:
            await client.closed(unless=announced)
        except asyncio.CancelledError:
            await client.close()
            raise
        if not announced.done():
            reason = await _reason(child)
            raise SaliscopeError("internal", f"the worker ended while starting ({reason})", {"reason": reason})
        ready = announced.result()
        log.info("worker %d is ready on %s", ready.pid, ready.device)
        return Worker(client, child, ready)

    async def _ask(self, worker: Worker) -> None:
        try:
            self._facts = await worker.client.call("status")
        except SaliscopeError as error:
            log.warning("worker %d did not tell its status: %s", worker.ready.pid, error.code)


async def _end_of(worker: Worker) -> str:
    reason = await _reason(worker.child)
    log.error("worker %d ended: %s", worker.ready.pid, reason)
    return reason


async def _reason(child: Child) -> str:
    try:
        return await asyncio.wait_for(child.ended(), END_S)
    except TimeoutError:
        child.kill()
        return "it closed its socket and went on"
