"""The worker's loop: take what came, start and cancel requests, compute one micro-batch, and again."""

from __future__ import annotations

import logging
import os
import resource
import socket
import time
from collections.abc import Callable
from typing import Any

import msgspec

import saliscope
from saliscope.daemon.worker.batcher import Batcher, to_wire_error
from saliscope.daemon.worker.inbox import Closed, Inbox, Item
from saliscope.daemon.worker.pool import ModelPool
from saliscope.daemon.worker.requests import Running, explain_steps, predict_steps
from saliscope.explainers.attribution import Attribution, token_dict
from saliscope.explainers.errors import ExplainerError
from saliscope.explainers.registry import methods
from saliscope.explainers.textmodel import TextModel
from saliscope.protocol.codec import Notification, Request, encode_notification, encode_response
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.messages import (
    METHODS,
    PROTOCOL_VERSION,
    Explain,
    LoadModel,
    Predict,
    Tokenize,
    UnloadModel,
)
from saliscope.protocol.validate import parse

log = logging.getLogger(__name__)

DEFAULT_MODEL = "demo-encoder"
PROGRESS_EVERY_S = 0.1


def serve(sock: socket.socket) -> None:
    """Serve requests on `sock` until it closes or `shutdown` comes; the peer hears `worker/ready` first."""
    Worker(sock).run()


class Worker:
    """Holds the models of one device and answers one peer; everything runs on the calling thread but loading."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._inbox = Inbox(sock)
        self._device = os.environ.get("SALISCOPE_DEVICE", "auto")
        self._pool = ModelPool(self._device, self._inbox.post)
        self._batcher = Batcher()
        self._running: dict[int, Running] = {}
        self._waiting: set[int] = set()
        self._counters = {"requests": 0, "errors": 0, "cancelled": 0}
        self._open = True

    def run(self) -> None:
        """The loop: a cancel that came while a micro-batch was computed is seen before the next one."""
        self._announce()
        while self._open:
            item = self._inbox.take(wait=len(self._batcher.queue) == 0)
            while item is not None:
                self._handle(item)
                item = self._inbox.take(wait=False) if self._open else None
            if self._open:
                self._batcher.step()

    # -- what comes in ----------------------------------------------------------------------------

    def _handle(self, item: Item) -> None:
        if isinstance(item, Closed):
            self._open = False
        elif isinstance(item, Request):
            self._request(item)
        elif isinstance(item, Notification):
            if item.method == "$/cancel" and item.params is not None:
                self._cancel(item.params.get("id"))
        elif callable(item):
            item()

    def _request(self, request: Request) -> None:
        self._counters["requests"] += 1
        handler: Callable[[int, Any], None] | None = {
            "initialize": self._initialize,
            "ping": self._ping,
            "status": self._status,
            "shutdown": self._shutdown,
            "methods/list": self._methods,
            "models/list": self._models,
            "models/load": self._load,
            "models/unload": self._unload,
            "tokenize": self._tokenize,
            "predict": self._predict,
            "explain": self._explain,
        }.get(request.method)
        try:
            if handler is None or request.params is None:
                raise SaliscopeError("bad_request", f"the worker knows no request {request.method!r} of this form")
            params, warnings = parse(METHODS[request.method].params, request.params)
            self._warnings = warnings
            handler(request.id, params)
        except (SaliscopeError, ExplainerError) as error:
            self._fail(request.id, to_wire_error(error))

    def _cancel(self, request_id: Any) -> None:
        if request_id in self._running:
            self._running[request_id].cancel()
        elif request_id in self._waiting:
            self._waiting.discard(request_id)
            self._pool.forget(request_id)
            self._fail(request_id, SaliscopeError("cancelled", "the client cancelled this request"))

    # -- requests that answer at once -------------------------------------------------------------

    def _initialize(self, request_id: int, params: Any) -> None:
        answer = {"protocol": PROTOCOL_VERSION, "version": saliscope.__version__, "capabilities": [], "limits": {}}
        self._answer(request_id, answer)

    def _ping(self, request_id: int, params: Any) -> None:
        self._answer(request_id, {"pong": True, "version": saliscope.__version__})

    def _methods(self, request_id: int, params: Any) -> None:
        self._answer(request_id, {"methods": _catalogue()})

    def _models(self, request_id: int, params: Any) -> None:
        self._answer(request_id, {"models": self._pool.models()})

    def _unload(self, request_id: int, params: UnloadModel) -> None:
        self._answer(request_id, {"unloaded": self._pool.unload(params.model)})

    def _status(self, request_id: int, params: Any) -> None:
        batcher = self._batcher
        status = {
            "pid": os.getpid(),
            "device": self._device,
            "queue": {
                "queries": len(batcher.queue),
                "rows": batcher.queue.num_rows,
                "requests": len(self._running),
            },
            "memory": {"rss": resident_bytes()},
            "models": self._pool.models(),
            "counters": {
                **self._counters,
                "batches": batcher.num_batches,
                "rows": batcher.num_rows,
                "tokens": batcher.num_tokens,
            },
        }
        self._answer(request_id, status)

    def _shutdown(self, request_id: int, params: Any) -> None:
        self._answer(request_id, {"stopping": True})
        self._open = False

    # -- requests that need a model ---------------------------------------------------------------

    def _load(self, request_id: int, params: LoadModel) -> None:
        self._with_model(
            request_id,
            params.model,
            params.download,
            lambda model: self._answer(request_id, self._pool.info(params.model)),
        )

    def _tokenize(self, request_id: int, params: Tokenize) -> None:
        warnings = self._warnings

        def run(model: TextModel) -> None:
            encoding = model.encode(params.text)
            tokens = [token_dict(token) for token in encoding.tokens]
            facts = {"model": model.facts.name, "max_tokens": model.facts.max_tokens}
            cut = {"truncated_at": encoding.truncated_at, "warnings": warnings}
            self._answer(request_id, {"tokens": tokens, **facts, **cut})

        self._with_model(request_id, params.model, False, run)

    def _predict(self, request_id: int, params: Predict) -> None:
        warnings = self._warnings

        def finish(results: list[Any]) -> None:
            answer = {
                "model": params.model or DEFAULT_MODEL,
                "predictions": [prediction for prediction, _ in results],
                "truncated_at": [cut for _, cut in results],
                "warnings": warnings,
            }
            self._answer(request_id, answer)

        def run(model: TextModel) -> None:
            self._start(
                Running(
                    request_id,
                    model,
                    predict_steps(model, params),
                    self._batcher,
                    finish,
                    self._failing(request_id),
                )
            )

        self._with_model(request_id, params.model, params.download, run)

    def _explain(self, request_id: int, params: Explain) -> None:
        warnings, many = self._warnings, not isinstance(params.text, str)
        why = [] if params.model else [f"model {DEFAULT_MODEL}: the bundled encoder, since none was named"]

        def message(attribution: Attribution) -> dict[str, Any]:
            row = attribution.to_dict()
            row["why"] = [*why, *row["why"]]
            row["warnings"] = row["warnings"] if many else [*row["warnings"], *warnings]
            return {**row, "protocol": PROTOCOL_VERSION}

        def finish(results: list[Attribution]) -> None:
            rows = [message(result) for result in results]
            self._answer(request_id, {"explanations": rows, "warnings": warnings} if many else rows[0])

        def partial(index: int, attribution: Attribution) -> None:
            self._notify("explain/partial", {"id": request_id, "index": index, "explanation": message(attribution)})

        def run(model: TextModel) -> None:
            running = Running(
                request_id, model, explain_steps(model, params), self._batcher, finish, self._failing(request_id)
            )
            running.on_partial = partial if params.stream else None
            running.on_done = self._counting(request_id) if many else None
            self._start(running)

        self._with_model(request_id, params.model, params.download, run)

    def _with_model(self, request_id: int, name: str | None, download: bool, run: Callable[[TextModel], None]) -> None:
        """Call `run` with the model, now or when it is loaded; its errors answer the request."""

        def loaded(outcome: TextModel | ExplainerError) -> None:
            self._waiting.discard(request_id)
            try:
                if isinstance(outcome, ExplainerError):
                    raise outcome
                run(outcome)
            except (SaliscopeError, ExplainerError) as error:
                self._fail(request_id, to_wire_error(error))

        def staged(stage: str) -> None:
            self._notify("$/progress", {"id": request_id, "stage": stage})

        self._waiting.add(request_id)
        self._pool.get(name or DEFAULT_MODEL, download, request_id, loaded, staged)

    def _start(self, running: Running) -> None:
        self._running[running.id] = running
        running.start()

    def _counting(self, request_id: int) -> Callable[[int, int], None]:
        last = 0.0

        def count(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= PROGRESS_EVERY_S and done < total:
                last = now
                self._notify("$/progress", {"id": request_id, "stage": "explaining", "done": done, "total": total})

        return count

    # -- what goes out ----------------------------------------------------------------------------

    def _announce(self) -> None:
        ready = {
            "pid": os.getpid(),
            "device": self._device,
            "version": saliscope.__version__,
            "methods": _catalogue(),
        }
        self._notify("worker/ready", ready)

    def _answer(self, request_id: int, result: dict[str, Any]) -> None:
        self._running.pop(request_id, None)
        self._send(encode_response(request_id, None, result))

    def _failing(self, request_id: int) -> Callable[[SaliscopeError], None]:
        return lambda error: self._fail(request_id, error)

    def _fail(self, request_id: int, error: SaliscopeError) -> None:
        self._counters["cancelled" if error.code == "cancelled" else "errors"] += 1
        self._running.pop(request_id, None)
        self._send(encode_response(request_id, error.to_wire("array"), None))

    def _notify(self, method: str, params: dict[str, Any]) -> None:
        self._send(encode_notification(method, params))

    def _send(self, frame: bytes) -> None:
        try:
            self._sock.sendall(frame)
        except OSError:
            # The peer has gone; the inbox says so too, and nothing is owed to anybody else.
            self._open = False


def resident_bytes() -> int:
    """Memory of this process that is in RAM (its peak where the system tells no more)."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _catalogue() -> list[dict[str, Any]]:
    return [msgspec.to_builtins(method.describe()) for method in methods().values()]
