"""The worker's loop: take what came, start and cancel requests, compute one micro-batch, and again."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict
from typing import Any

import saliscope
from saliscope.daemon.worker.batcher import Batcher
from saliscope.daemon.worker.desk import DEFAULT_MODEL, Desk
from saliscope.daemon.worker.inbox import Closed, Inbox, Item
from saliscope.daemon.worker.marks import Marks
from saliscope.daemon.worker.memory import Trimmer, resident_bytes
from saliscope.daemon.worker.outlet import Outlet
from saliscope.daemon.worker.pool.patrol import Patrol
from saliscope.daemon.worker.pool.pool import ModelPool
from saliscope.daemon.worker.prefixes import Prefixes
from saliscope.daemon.worker.scheduling.level import Level
from saliscope.daemon.worker.solver import Solver
from saliscope.explainers.registry import methods
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.evaluations import Evaluate
from saliscope.protocol.frames import Notification, Request
from saliscope.protocol.messages import FRONT_ONLY, METHODS
from saliscope.protocol.origin import Origin
from saliscope.protocol.parameters import Explain, Generate, LoadModel, Predict, Tokenize, UnloadModel
from saliscope.protocol.terms import PROTOCOL_VERSION
from saliscope.protocol.validate import parse


def serve(sock: socket.socket, marks: Marks | None = None) -> None:
    """Serve requests on `sock` until it closes or `shutdown` comes; the peer hears `worker/ready` first.

    `marks` always says which requests are being computed, for whoever asks after a crash.
    """
    Worker(sock, marks or Marks()).run()


class Worker:
    """Holds the models of one device and answers one peer; everything but loading runs on the calling thread."""

    def __init__(self, sock: socket.socket, marks: Marks) -> None:
        self._marks = marks
        self._inbox = Inbox(sock)
        self._outlet = Outlet(sock)
        self._device = os.environ.get("SALISCOPE_DEVICE", "auto")
        self._solver = Solver(self._inbox.post)
        self._prefixes = Prefixes.of_environment()
        self._batcher = Batcher(self._solver, marks=marks, prefixes=self._prefixes)
        self._pool = ModelPool(self._device, self._inbox.post, self._batcher.warm, prefixes=self._prefixes)
        self._outlet.on_answered = self._pool.release
        self._patrol = Patrol(self._pool)
        self._desk = Desk(self._pool, self._batcher, self._outlet, marks)
        self._trimmer = Trimmer()
        self._unloading: set[int] = set()

    def run(self) -> None:
        """The loop: a cancel that came while a micro-batch was computed is seen before the next one."""
        ready = {"pid": os.getpid(), "device": self._device, "version": saliscope.__version__, "methods": catalogue()}
        self._outlet.notify("worker/ready", ready)
        while self._outlet.open:
            item = self._inbox.take(self._wait_s())
            while item is not None:
                self._handle(item)
                self._marks.set(())
                item = self._inbox.take(wait_s=0)
            self._desk.askers.expire()
            if self._batcher.step():
                self._marks.set(())
                self._trimmer.worked()
                self._patrol.disturbed()
            self._trimmer.tidy()
            self._pool.tick()
            self._patrol.tick()
        self._solver.close()

    def _wait_s(self) -> float | None:
        """How long to wait for news when there is nothing else to do; None: as long as it takes."""
        if self._batcher.queue:
            return 0
        idle = (self._trimmer.wait_s, self._desk.askers.wait_s, self._pool.wait_s, self._patrol.wait_s)
        return min((wait for wait in idle if wait is not None), default=None)

    def _handle(self, item: Item) -> None:
        match item:
            case Closed():
                self._outlet.open = False
            case Request():
                self._request(item)
            case Notification():
                if item.method == "$/cancel" and item.params is not None:
                    self._cancel(item.params.get("id"))
            case news if callable(news):
                news()

    def _cancel(self, request_id: Any) -> None:
        if request_id in self._unloading:
            self._unloading.discard(request_id)
            self._pool.forget(request_id)
            self._outlet.fail(request_id, SaliscopeError("cancelled", "the client cancelled this request"))
        else:
            self._desk.askers.cancel(request_id)

    def _request(self, request: Request) -> None:
        self._marks.set((request.id,))
        try:
            if request.method.startswith(FRONT_ONLY):
                raise SaliscopeError("bad_request", f"{request.method!r} needs a daemon; connect without `private`")
            if request.method not in METHODS or request.params is None:
                raise SaliscopeError("bad_request", f"{request.method!r} with one map of parameters is no request here")
            origin = Origin.taken_from(request.params)
            params, warnings = parse(METHODS[request.method].params, request.params)
        except SaliscopeError as error:
            self._outlet.fail(request.id, error)
            return
        match params:
            case Explain():
                self._desk.explain(request.id, params, warnings, origin)
            case Evaluate():
                self._desk.evaluate(request.id, params, warnings, origin)
            case Generate():
                self._desk.generate(request.id, params, warnings, origin)
            case Predict():
                self._desk.predict(request.id, params, warnings, origin)
            case Tokenize():
                self._desk.tokenize(request.id, params, warnings, origin)
            case LoadModel():
                self._load(request.id, params, warnings)
            case UnloadModel():
                self._unload(request.id, params.model, warnings)
            case _:
                self._outlet.answer(request.id, {**self._fact(request.method), "warnings": warnings})
                self._outlet.open = self._outlet.open and request.method != "shutdown"

        if isinstance(params, Explain | Evaluate | Generate | Predict | Tokenize) and params.keep_alive is not None:
            self._pool.keep(params.model or DEFAULT_MODEL, params.keep_alive)

    def _load(self, request_id: int, params: LoadModel, warnings: list[str]) -> None:
        """Remember how the model is to be loaded, and load it."""
        options = {name: getattr(params, name) for name in ("device", "dtype", "revision", "adapter", "keep_alive")}
        self._pool.wish(params.model, **options, self_check=params.check)
        self._desk.load(request_id, params, warnings)

    def _unload(self, request_id: int, name: str, warnings: list[str]) -> None:
        """Answer when the model has gone, with what that has freed."""

        def gone(freed: dict[str, int]) -> None:
            self._unloading.discard(request_id)
            self._outlet.answer(request_id, {"unloaded": True, "freed": freed, "warnings": warnings})

        self._unloading.add(request_id)
        if not self._pool.unload(name, request_id, gone):
            self._unloading.discard(request_id)
            self._outlet.answer(request_id, {"unloaded": False, "freed": {}, "warnings": warnings})

    def _fact(self, method: str) -> dict[str, Any]:
        """The answer to a request that needs no model."""
        match method:
            case "initialize":
                version = saliscope.__version__
                return {"protocol": PROTOCOL_VERSION, "version": version, "capabilities": [], "limits": {}}
            case "ping":
                return {"pong": True, "version": saliscope.__version__}
            case "status":
                return self._status()
            case "methods/list":
                return {"methods": catalogue()}
            case "models/list":
                return {"models": self._pool.models()}
            case "cache/clear":
                return {"prefixes": self._prefixes.clear()}
            case "shutdown":
                return {"stopping": True}
        raise AssertionError(f"{method} is in the table of methods and is not served")

    def _status(self) -> dict[str, Any]:
        queue = self._batcher.queue
        # What is reported is what is in use, not what malloc keeps of the last micro-batches.
        self._trimmer.tidy(now=True)
        classes = {
            level.label: {
                "queries": queue.num_tickets(level),
                "rows": queue.rows_of(level),
                "begun": queue.begun[level],
                "waited_s": round(queue.waited_s[level], 6),
            }
            for level in Level
        }
        return {
            "pid": os.getpid(),
            "device": self._device,
            "queue": {
                "requests": len(self._desk.askers),
                "queries": len(queue),
                "rows": queue.num_rows,
                "classes": classes,
            },
            "memory": {"rss": resident_bytes(), "prefixes": self._prefixes.num_bytes},
            "prefixes": self._prefixes.told(),
            "budgets": self._pool.memory(),
            "models": self._pool.models(),
            "counters": {
                **self._outlet.counters,
                **asdict(self._batcher.done),
                **self._prefixes.counters(),
                **self._pool.counters,
                **self._patrol.counters,
            },
        }


def catalogue() -> list[dict[str, Any]]:
    """Every method as the wire's `MethodInfo`."""
    return [method.describe() for method in methods().values()]
