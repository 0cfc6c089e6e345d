"""The daemon's figures for Prometheus: every metric in one table, read from the answer to `status`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, Final, Literal, NamedTuple

from saliscope.daemon.front.router import Router
from saliscope.protocol.address import Address
from saliscope.protocol.errors import SaliscopeError

Sample = tuple[tuple[str, ...], Any]
#: How long a scrape waits for the event loop.
_STATUS_S: Final = 5.0


class Metric(NamedTuple):
    """One metric: `read` gives samples (label values, value) of a status; a histogram's value is its `to_dict`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...]
    read: Callable[[dict[str, Any]], list[Sample]]


def _one(*path: str) -> Callable[[dict[str, Any]], list[Sample]]:
    def read(status: dict[str, Any]) -> list[Sample]:
        value: Any = status
        for name in path:
            value = value[name]
        return [((), value)]

    return read


def _each(*path: str) -> Callable[[dict[str, Any]], list[Sample]]:
    def read(status: dict[str, Any]) -> list[Sample]:
        return [((name,), value) for name, value in _one(*path)(status)[0][1].items()]

    return read


def _requests(status: dict[str, Any]) -> list[Sample]:
    requests = status["figures"]["requests"]
    return [((method, outcome), n) for method, outcomes in requests.items() for outcome, n in outcomes.items()]


def _queue(name: str) -> Callable[[dict[str, Any]], list[Sample]]:
    def read(status: dict[str, Any]) -> list[Sample]:
        return [((level,), told[name]) for level, told in status["figures"]["queue"].items()]

    return read


def _waiting(status: dict[str, Any]) -> list[Sample]:
    return [((), sum(worker.get("queue", {}).get("rows", 0) for worker in status["workers"]))]


def _loaded(status: dict[str, Any]) -> list[Sample]:
    return [((), sum(model["state"] == "ready" for model in status["models"]))]


def _fill(status: dict[str, Any]) -> list[Sample]:
    computed = status["figures"]["computed"]
    return [((), computed["tokens"] / computed["padded_tokens"])] if computed["padded_tokens"] else []


METRICS: Final = (
    Metric("requests", "counter", "Requests answered, by method and outcome.", ("method", "outcome"), _requests),
    Metric("errors", "counter", "Requests answered with an error, by its code.", ("code",), _each("figures", "errors")),
    Metric("requests_in_flight", "gauge", "Requests that wait or run.", (), _one("requests", "in_flight")),
    Metric("request_seconds", "histogram", "From request to answer, errors included.", (),
           _one("figures", "request_seconds")),
    Metric("first_partial_seconds", "histogram", "From request to its first partial estimate, where it had one.", (),
           _one("figures", "first_partial_seconds")),
    Metric("queries_begun", "counter", "Queries whose first micro-batch has come, by class.", ("class",),
           _queue("begun")),
    Metric("queue_seconds", "counter", "Seconds that those queries had waited; over queries_begun: the mean wait.",
           ("class",), _queue("waited_s")),
    Metric("queued_rows", "gauge", "Rows that wait for a micro-batch.", (), _waiting),
    Metric("batches", "counter", "Micro-batches computed by the living workers.", (),
           _one("figures", "computed", "batches")),
    Metric("rows", "counter", "Rows computed by the living workers; its rate is rows a second.", (),
           _one("figures", "computed", "rows")),
    Metric("tokens", "counter", "Tokens computed by the living workers, without padding.", (),
           _one("figures", "computed", "tokens")),
    Metric("padded_tokens", "counter", "Tokens computed by the living workers, with padding.", (),
           _one("figures", "computed", "padded_tokens")),
    Metric("batch_fill", "gauge", "Which part of the computed tokens was no padding.", (), _fill),
    Metric("memory_bytes", "gauge", "Memory held, by part.", ("part",), _each("memory")),
    Metric("models_loaded", "gauge", "Models that are loaded.", (), _loaded),
    Metric("documents_open", "gauge", "Live documents.", (), _one("figures", "documents", "open")),
    Metric("documents_kept_bytes", "gauge", "Bytes of explanations kept for live documents.", (),
           _one("figures", "documents", "kept_bytes")),
    Metric("worker_restarts", "counter", "Workers that were replaced.", (), _one("figures", "restarts")),
    Metric("sessions", "gauge", "Open connections.", (), _one("sessions")),
    Metric("connections", "counter", "Connections accepted and refused.", ("outcome",),
           _each("figures", "connections")),
    Metric("uptime_seconds", "gauge", "Seconds since the start.", (), _one("uptime_s")),
)  # fmt: skip


class Exposition:
    """Serves the metrics over HTTP on a thread of its own until closed."""

    def __init__(self, address: Address, router: Router) -> None:
        try:
            import prometheus_client
        except ImportError as error:
            raise SaliscopeError(
                "unavailable", "--metrics needs prometheus_client; run `pip install 'saliscope[metrics]'`"
            ) from error
        registry = prometheus_client.CollectorRegistry(auto_describe=False)
        registry.register(Collector(router, asyncio.get_running_loop()))
        try:
            self._server, self._thread = prometheus_client.start_http_server(
                address.port, addr=address.host, registry=registry
            )
        except OSError as error:
            raise SaliscopeError("unavailable", f"cannot serve metrics on {address}: {error.strerror}") from error
        #: Where it is served: the port is the system's choice where 0 was asked for.
        host, port, *_ = self._server.server_address
        self.address = Address(str(host), int(port))

    def close(self) -> None:
        """End the server and its thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Collector:
    """What prometheus_client asks at every scrape."""

    def __init__(self, router: Router, loop: asyncio.AbstractEventLoop) -> None:
        self._router = router
        self._loop = loop

    def describe(self) -> list[Any]:
        """Nothing beforehand: a registration must not ask the loop that it runs on."""
        return []

    def collect(self) -> Iterator[Any]:
        """The metrics of this moment; called from the HTTP server's thread."""
        asked = asyncio.run_coroutine_threadsafe(self._router.handle_status(), self._loop)
        return families(asked.result(_STATUS_S))


def families(status: dict[str, Any]) -> Iterator[Any]:
    """The metric families of prometheus_client for the answer to `status`."""
    from prometheus_client import core

    kinds = {"counter": core.CounterMetricFamily, "gauge": core.GaugeMetricFamily}
    for metric in METRICS:
        name = f"saliscope_{metric.name}"
        if metric.kind == "histogram":
            family = core.HistogramMetricFamily(name, metric.help, labels=metric.labels)
            for labels, found in metric.read(status):
                bounds = [*map(str, found["bounds"]), "+Inf"]
                family.add_metric(labels, list(zip(bounds, accumulate(found["counts"]), strict=True)), found["sum"])
        else:
            family = kinds[metric.kind](name, metric.help, labels=metric.labels)
            for labels, value in metric.read(status):
                family.add_metric(labels, value)
        yield family
