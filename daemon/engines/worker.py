"""One worker process as the engine sees it: made, spoken to, and buried."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from saliscope.daemon.engines.trial import Trial
from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification
from saliscope.protocol.results import MethodInfo

log = logging.getLogger(__name__)

#: How long a worker's end may follow the end of its socket.
END_S: Final = 5.0


class End(NamedTuple):
    """How a process ended ("signal 9", "exit status 1"), and the requests that it was at work on then."""

    how: str
    computing: tuple[int, ...] = ()


class Child(Protocol):
    """A worker process, as the one who made it sees it."""

    pid: int

    async def ended(self) -> End:
        """Wait for its end and say how it came."""

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


class Worker:
    """A worker that has said that it is ready, and the requests that are with it, by their ids there."""

    def __init__(self, client: AsyncClient, child: Child, ready: Ready) -> None:
        self.client = client
        self.ready = ready
        self.trials: dict[int, Trial] = {}
        #: The models that have answered here, the newest last.
        self.models: list[str] = []
        #: What the engine does when it has ended.
        self.burial: asyncio.Task[End]
        self._child = child

    @property
    def is_living(self) -> bool:
        """Whether it is there, as far as we know."""
        return self.client.is_open

    def has_answered(self, model: str) -> None:
        """This model is here, and is the newest now."""
        self.models = [*(name for name in self.models if name != model), model]

    async def ended(self) -> End:
        """Wait for its end and say how it came."""
        await self.client.closed()
        end = await end_of(self._child)
        log.error("worker %d ended: %s", self.ready.pid, end.how)
        return end


async def start_worker(spawner: Spawner) -> Worker:
    """A worker that is ready; `internal` with the reason if it ends before, or if none can be made."""
    announced: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()

    def listen(notification: Notification) -> None:
        if notification.method == "worker/ready" and not announced.done():
            announced.set_result(msgspec.convert(notification.params, Ready))

    ours, theirs = socket.socketpair()
    with theirs:
        try:
            child = await spawner.spawn(theirs)
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
        end = await end_of(child)
        raise SaliscopeError("internal", f"the worker ended while starting ({end.how})", {"reason": end.how})
    ready = announced.result()
    log.info("worker %d is ready on %s", ready.pid, ready.device)
    return Worker(client, child, ready)


async def end_of(child: Child) -> End:
    """How it ended whose socket is closed; one that goes on is killed."""
    try:
        return await asyncio.wait_for(child.ended(), END_S)
    except TimeoutError:
        child.kill()
        return End("it closed its socket and went on")
