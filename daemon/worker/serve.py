"""The worker's loop: take what came, start and cancel requests, compute one micro-batch, and again."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict
from typing import Any

import msgspec

import saliscope
from saliscope.daemon.worker.batcher import Batcher
from saliscope.daemon.worker.desk import Desk
from saliscope.daemon.worker.inbox import Closed, Inbox, Item
from saliscope.daemon.worker.marks import Marks
from saliscope.daemon.worker.memory import Trimmer, resident_bytes
from saliscope.daemon.worker.outlet import Outlet
from saliscope.daemon.worker.pool import ModelPool
from saliscope.daemon.worker.scheduling.level import Level
from saliscope.daemon.worker.solver import Solver
from saliscope.explainers.registry import methods
from saliscope.protocol.codec import Notification, Request
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.evaluations import Evaluate
from saliscope.protocol.messages import METHODS
from saliscope.protocol.origin import Origin
from saliscope.protocol.parameters import Explain, LoadModel, Predict, Tokenize, UnloadModel
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
        self._batcher = Batcher(self._solver, marks=marks)
        self._pool = ModelPool(self._device, self._inbox.post, self._batcher.warm)
        self._desk = Desk(self._pool, self._batcher, self._outlet, marks)
        self._trimmer = Trimmer()

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
            self._trimmer.tidy()
        self._solver.close()

    def _wait_s(self) -> float | None:
        """How long to wait for news when there is nothing else to do; None: as long as it takes."""
        if self._batcher.queue:
            return 0
        waits = [wait for wait in (self._trimmer.wait_s, self._desk.askers.wait_s) if wait is not None]
        return min(waits, default=None)

    def _handle(self, item: Item) -> None:
        match item:
            case Closed():
                self._outlet.open = False
            case Request():
                self._request(item)
            case Notification():
                if item.method == "$/cancel" and item.params is not None:
                    self._desk.askers.cancel(item.params.get("id"))
            case news if callable(news):
                news()

    def _request(self, request: Request) -> None:
        self._marks.set((request.id,))
        try:
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
            case Predict():
                self._desk.predict(request.id, params, warnings, origin)
            case Tokenize():
                self._desk.tokenize(request.id, params, warnings, origin)
            case LoadModel():
                self._desk.load(request.id, params, warnings)
            case _:
                self._outlet.answer(request.id, {**self._fact(request.method, params), "warnings": warnings})
                self._outlet.open = self._outlet.open and request.method != "shutdown"

    def _fact(self, method: str, params: msgspec.Struct) -> dict[str, Any]:
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
            case "models/unload":
                assert isinstance(params, UnloadModel)
                return {"unloaded": self._pool.unload(params.model)}
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
            "memory": {"rss": resident_bytes()},
            "models": self._pool.models(),
            "counters": {**self._outlet.counters, **asdict(self._batcher.done)},
        }


def catalogue() -> list[dict[str, Any]]:
    """Every method as the wire's `MethodInfo`."""
    return [method.describe() for method in methods().values()]
