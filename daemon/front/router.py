"""Which request goes where: what the front knows itself, and what it hands to the engine."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from saliscope import __version__
from saliscope.daemon.engines import Engine
from saliscope.daemon.front import catalogue
from saliscope.daemon.front.cache.results import Results
from saliscope.daemon.front.figures import Figures
from saliscope.daemon.front.jobs.desk import JobDesk
from saliscope.daemon.front.limits import FrontLimits
from saliscope.daemon.front.live.documents import AboutDocument, Documents
from saliscope.daemon.front.peer import Peer
from saliscope.daemon.front.traffic import Traffic
from saliscope.protocol.address import Address
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import CLIENT_LIMITS, SERVER_LIMITS, Notification
from saliscope.protocol.listening import OnNotification
from saliscope.protocol.messages import BUNDLED, METHODS
from saliscope.protocol.origin import Origin
from saliscope.protocol.parameters import Initialize
from saliscope.protocol.results import Cleared, Initialized, MethodInfo, Methods, ModelInfo, Models, Status
from saliscope.protocol.terms import PROTOCOL_VERSION
from saliscope.protocol.validate import parse

_CAPABILITIES: Final = ["partials", "progress", "cancel", "floats:f32", "notify", "documents", "jobs"]
#: What is still answered while the daemon shuts down.
_ALWAYS: Final = frozenset({"ping", "status", "shutdown"})


class Router:
    """Answers requests of all sessions; `traffic` says how many there are, and when the daemon is to end."""

    def __init__(
        self,
        engine: Engine,
        socket: str,
        limits: FrontLimits,
        jobs: JobDesk,
        tcp: Address | None = None,
        results: Results | None = None,
    ) -> None:
        self.traffic = Traffic(limits)
        self.figures = Figures()
        self._num_clients = 0
        self._tcp = tcp
        #: The live documents of each client, by its number.
        self.documents: dict[int, Documents] = {}
        self.jobs = jobs
        self._engine = engine
        self._results = results
        self._socket = socket
        self._started = time.monotonic()

    def initialize(self, wishes: Initialize, warnings: list[str]) -> Initialized:
        """The answer to `initialize`; `protocol_mismatch` where the ranges do not meet."""
        self.traffic.check_open()
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

    def new_peer(self, token: str | None = None, roots: tuple[Path, ...] = ()) -> Peer:
        """One more client; with a `token` that it must show, and the folders that it may name, on TCP."""
        self._num_clients += 1
        return Peer(Origin(client=self._num_clients), token, roots)

    async def handle(
        self, method: str, params: dict[str, Any], notify: OnNotification | None, peer: Peer, num_bytes: int = 0
    ) -> dict[str, Any]:
        """The result of one request as plain values; notifications about it go to `notify` (None: unwanted).

        `num_bytes` is what its frame had.
        """
        begun, code = time.perf_counter(), "internal"
        try:
            result = await self._admitted(method, params, notify and self._timed(notify), peer, num_bytes)
            code = ""
            return result
        except SaliscopeError as error:
            code = error.code
            raise
        except asyncio.CancelledError:
            code = "cancelled"
            raise
        finally:
            self.figures.count(method, code or None, time.perf_counter() - begun)
            self.traffic.was_used()

    def num_characters(self) -> int:
        """Code points of the live documents of all clients."""
        return sum(documents.num_characters for documents in self.documents.values())

    async def ask(self, method: str, params: dict[str, Any], notify: OnNotification, peer: Peer) -> dict[str, Any]:
        """What is asked of the model for a live document; counted, but no request of the client's own."""
        begun, code = time.perf_counter(), "cancelled"
        try:
            result = _map(await self._engine.call(method, params, self._timed(notify), peer.origin))
            code = ""
            return result
        except SaliscopeError as error:
            code = error.code
            raise
        finally:
            self.figures.count(method, code or None, time.perf_counter() - begun)

    async def handle_status(self) -> dict[str, Any]:
        """The answer to `status`."""
        return _plain(await self._status())

    async def _admitted(
        self, method: str, params: dict[str, Any], notify: OnNotification | None, peer: Peer, num_bytes: int
    ) -> dict[str, Any]:
        if method not in METHODS:
            raise SaliscopeError("bad_request", f"no method {method!r}; there are {', '.join(METHODS)}")
        if method in _ALWAYS:
            return await self._checked(method, params, notify, peer)
        with self.traffic.admitted(num_bytes):
            return await self._checked(method, params, notify, peer)

    async def _checked(
        self, method: str, params: dict[str, Any], notify: OnNotification | None, peer: Peer
    ) -> dict[str, Any]:
        fields, warnings = parse(METHODS[method].params, params)
        result = await self._run(method, fields, notify, peer)
        if warnings:
            result["warnings"] = [*result.get("warnings", ()), *warnings]
        return result

    def _timed(self, notify: OnNotification) -> OnNotification:
        """The same listener; the time to the first partial estimate is counted."""
        begun: float | None = time.perf_counter()

        def listen(notification: Notification) -> None:
            nonlocal begun
            if begun is not None and notification.method == "explain/partial":
                self.figures.first_partial_seconds.add(time.perf_counter() - begun)
                begun = None
            notify(notification)

        return listen

    async def _run(self, method: str, fields: Struct, notify: OnNotification | None, peer: Peer) -> dict[str, Any]:
        plain = peer.checked(method, _plain(fields))
        match method:
            case "ping":
                return {"pong": True, "version": __version__}
            case "status":
                return await self.handle_status()
            case "shutdown":
                # The daemon ends even if the one who asked leaves meanwhile.
                return {"drained": await asyncio.shield(self.traffic.shut_down())}
            case "methods/list":
                return _plain(Methods(await self._methods(notify)))
            case "models/list":
                return await self._models()
            case "cache/clear":
                return _plain(await self._clear(peer))
        if method.startswith("document/"):
            return await self._document(msgspec.convert(plain, METHODS[method].params), notify, peer)
        if method.startswith("jobs/"):
            return _plain(await self.jobs.handle(method, msgspec.convert(plain, METHODS[method].params)))
        if notify is None and "stream" in plain:
            plain["stream"] = False
        return _map(await self._engine.call(method, plain, notify, peer.origin))

    async def _document(self, fields: Struct, notify: OnNotification | None, peer: Peer) -> dict[str, Any]:
        if notify is None:
            message = "what is found out about a document is notified; send `initialize` with notifications first"
            raise SaliscopeError("bad_request", message)
        assert isinstance(fields, AboutDocument)
        return _plain(await self.documents[peer.origin.client].handle(fields))

    async def _status(self) -> Status:
        workers = await self._engine.facts()
        return Status(
            pid=os.getpid(),
            version=__version__,
            protocol=PROTOCOL_VERSION,
            uptime_s=round(time.monotonic() - self._started, 3),
            socket=self._socket,
            tcp=None if self._tcp is None else str(self._tcp),
            sessions=self.traffic.num_sessions,
            requests=self.traffic.counts(),
            workers=[{name: value for name, value in worker.items() if name != "models"} for worker in workers],
            models=[msgspec.convert(model, ModelInfo) for worker in workers for model in worker.get("models", ())],
            memory={
                "front_rss": _resident(),
                "workers_rss": sum(worker.get("memory", {}).get("rss", 0) for worker in workers),
                "prefixes": sum(worker.get("memory", {}).get("prefixes", 0) for worker in workers),
            },
            figures=self.figures.to_dict(workers, [documents.figures for documents in self.documents.values()]),
            cache={} if self._results is None else await self._results.told(),
        )

    async def _clear(self, peer: Peer) -> Cleared:
        """Forget kept results here, and what the workers keep of texts; starts none."""
        memory, disk = (0, 0) if self._results is None else await self._results.clear()
        if self._engine.catalogue() is None:
            return Cleared(memory, disk)
        told = await self._engine.call("cache/clear", {}, None, peer.origin)
        return Cleared(memory, disk, told["prefixes"])

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
