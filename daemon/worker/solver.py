"""Pure computation beside the device: a small pool of processes, started when first needed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

from saliscope.daemon.worker.errors import to_wire_error
from saliscope.explainers.answers import Solved
from saliscope.explainers.queries import Solve
from saliscope.protocol.errors import SaliscopeError

NUM_PROCESSES = 2

Deliver = Callable[["Solved | SaliscopeError"], None]


class Solver:
    """Answers `Solve` queries; answers come through `post`, on the worker's own thread."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, query: Solve, deliver: Deliver) -> None:
        """Compute a query in another process; `deliver` gets its answer or the error."""
        if self._pool is None:
            # Spawned, not forked: this process has threads that hold locks.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(NUM_PROCESSES, mp_context=context)
        future: Future[Any] = self._pool.submit(query.function, *query.arguments)
        future.add_done_callback(lambda done: self._post(lambda: deliver(_outcome(done))))

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _outcome(done: Future[Any]) -> Solved | SaliscopeError:
    error = done.exception()
    return to_wire_error(error) if isinstance(error, Exception) else Solved(done.result())
