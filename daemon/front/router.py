"""Which request goes where: what the front knows itself, and what it hands to the engine."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from saliscope import __version__
from saliscope.daemon.engines import Engine
from saliscope.daemon.front import catalogue
from saliscope.protocol.codec import CLIENT_LIMITS, SERVER_LIMITS
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.messages import BUNDLED, METHODS
from saliscope.protocol.origin import Origin
from saliscope.protocol.parameters import Initialize
from saliscope.protocol.requests import OnNotification
from saliscope.protocol.results import Initialized, MethodInfo, Methods, ModelInfo, Models, Status
from saliscope.protocol.terms import PROTOCOL_VERSION
from saliscope.protocol.validate import parse

#: How long `shutdown` waits for the requests in flight before it cancels them.
DRAIN_S: Final = 30.0
_CAPABILITIES: Final = ["partials", "progress", "cancel", "floats:f32", "notify"]
#: What is still answered while the daemon shuts down.
_ALWAYS: Final = frozenset({"ping", "status", "shutdown"})


class Router:
    """Answers requests of all sessions; `stopped` is set when the daemon is to end."""

    def __init__(self, engine: Engine, socket: str) -> None:
        self.num_sessions = 0
        self._num_clients = 0
        self.closing = asyncio.Event()
        self.stopped = asyncio.Event()
        self._engine = engine
        self._socket = socket
        self._started = time.monotonic()
        self._running: set[asyncio.Task[Any]] = set()
        self._draining: asyncio.Task[int] | None = None
        self._counts: Counter[str] = Counter()

    def initialize(self, wishes: Initialize, warnings: list[str]) -> Initialized:
        """The answer to `initialize`; `protocol_mismatch` where the ranges do not meet."""
        if not wishes.protocol_min <= PROTOCOL_VERSION <= wishes.protocol_max:
            raise SaliscopeError(
                "protocol_mismatch",
                f"the client speaks protocol {wishes.protocol_min} to {wishes.protocol_max}, "
                f"this daemon (version {__version__}) {PROTOCOL_VERSION}",
                {"version": __version__, "protocol": PROTOCOL_VERSION},
            )
        limits = {"request_bytes": SERVER_LIMITS.frame, "text_bytes": SERVER_LIMITS.string}
        limits["answer_bytes"] = CLIENT_LIMITS.frame
        return Initialized(PROTOCOL_VERSION, __version__, _CAPABILITIES, limits, warnings)

    def new_origin(self) -> Origin:
        """The origin of the requests of one more session."""
        self._num_clients += 1
        return Origin(client=self._num_clients)

    async def handle(
        self, method: str, params: dict[str, Any], notify: OnNotification | None, origin: Origin
    ) -> dict[str, Any]:
        """The result of one request as plain values; notifications about it go to `notify` (None: unwanted)."""
        if self.closing.is_set() and method not in _ALWAYS:
            raise SaliscopeError("shutting_down", "the daemon is shutting down; the next command starts a new one")
        if method not in METHODS:
            raise SaliscopeError("bad_request", f"no method {method!r}; there are {', '.join(METHODS)}")
        task = asyncio.current_task()
        assert task is not None
        if method not in _ALWAYS:
            self._running.add(task)
        outcome = "failed"
        try:
            fields, warnings = parse(METHODS[method].params, params)
            result = await self._run(method, fields, notify, origin)
            if warnings:
                result["warnings"] = [*result.get("warnings", ()), *warnings]
            outcome = "answered"
            return result
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            if task in self._running:
                self._counts[outcome] += 1
                self._running.remove(task)

    def shut_down(self) -> asyncio.Task[int]:
        """Take no new requests, let those in flight end, then set `stopped`; the task gives their number."""
        if self._draining is None:
            self.closing.set()
            self._draining = asyncio.create_task(self._drain())
        return self._draining

    def hurry(self) -> None:
        """Cancel the requests in flight."""
        for task in self._running:
            task.cancel()

    async def _run(self, method: str, fields: Struct, notify: OnNotification | None, origin: Origin) -> dict[str, Any]:
        match method:
            case "ping":
                return {"pong": True, "version": __version__}
            case "status":
                return _plain(await self._status())
            case "shutdown":
                # The daemon ends even if the one who asked leaves meanwhile.
                return {"drained": await asyncio.shield(self.shut_down())}
            case "methods/list":
                return _plain(Methods(await self._methods(notify)))
            case "models/list":
                return await self._models()
        forwarded = _plain(fields)
        if notify is None and "stream" in forwarded:
            forwarded["stream"] = False
        return _map(await self._engine.call(method, forwarded, notify, origin))

    async def _status(self) -> Status:
        workers = await self._engine.facts()
        return Status(
            pid=os.getpid(),
            version=__version__,
            protocol=PROTOCOL_VERSION,
            uptime_s=round(time.monotonic() - self._started, 3),
            socket=self._socket,
            sessions=self.num_sessions,
            requests={"in_flight": len(self._running), **self._counts},
            workers=[{name: value for name, value in worker.items() if name != "models"} for worker in workers],
            models=[msgspec.convert(model, ModelInfo) for worker in workers for model in worker.get("models", ())],
            memory={
                "front_rss": _resident(),
                "workers_rss": sum(worker.get("memory", {}).get("rss", 0) for worker in workers),
            },
        )

    async def _methods(self, notify: OnNotification | None) -> list[MethodInfo]:
        kept = catalogue.load()
        known = self._engine.catalogue()
        if known is None and kept is not None:
            return kept
        if known is None:
            known = msgspec.convert(await self._engine.call("methods/list", {}, notify), Methods).methods
        if known != kept:
            catalogue.store(known)
        return known

    async def _models(self) -> dict[str, Any]:
        if self._engine.catalogue() is not None:
            return _map(await self._engine.call("models/list", {}))
        return _plain(Models([ModelInfo(name=name, state="available", source="bundled") for name in BUNDLED]))

    async def _drain(self) -> int:
        running = set(self._running)
        if running:
            _, late = await asyncio.wait(running, timeout=DRAIN_S)
            for task in late:
                task.cancel()
        self.stopped.set()
        return len(running)


def _plain(value: Struct) -> dict[str, Any]:
    return _map(msgspec.to_builtins(value))


def _map(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SaliscopeError("internal", f"a worker answered with {type(value).__name__}, not with a map")
    return value


def _resident() -> int:
    """Bytes of memory that this process holds."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
