"""Pure computation beside the device: a small pool of processes, started when first needed."""

from __future__ import annotations

import heapq
import logging
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from itertools import count
from typing import Any

from saliscope.daemon.worker.dying import die_with
from saliscope.daemon.worker.errors import to_wire_error
from saliscope.daemon.worker.scheduling.level import Level
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.explainers.answers import Solved
from saliscope.explainers.queries import Solve
from saliscope.protocol.errors import SaliscopeError

log = logging.getLogger(__name__)

NUM_PROCESSES = 2

Deliver = Callable[["Solved | SaliscopeError"], None]
Waiting = tuple[Level, int, Owner, Solve, Deliver]


class Solver:
    """Answers `Solve` queries, the most urgent first; answers come through `post`, on the worker's own thread."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: list[Waiting] = []
        self._numbers = count()
        self._num_running = 0

    def submit(self, owner: Owner, query: Solve, deliver: Deliver) -> None:
        """Compute a query in another process; `deliver` gets its answer or the error."""
        heapq.heappush(self._waiting, (owner.level, next(self._numbers), owner, query, deliver))
        self._start()

    def cancel(self, owner: Owner) -> None:
        """Drop what an owner has waiting; what runs already ends unheard, if whoever asked does not listen."""
        self._waiting = [each for each in self._waiting if each[2] is not owner]
        heapq.heapify(self._waiting)

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        while self._waiting and self._num_running < NUM_PROCESSES:
            _, _, _, query, deliver = heapq.heappop(self._waiting)
            future = self._submit(query)
            self._num_running += 1
            future.add_done_callback(self._listener(deliver))

    def _submit(self, query: Solve) -> Future[Any]:
        if self._pool is not None:
            try:
                return self._pool.submit(query.function, *query.arguments)
            except BrokenExecutor:
                log.warning("a process of the solver ended: it gets new ones")
        # Spawned, not forked: this process has threads that hold locks.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(
            NUM_PROCESSES, mp_context=context, initializer=die_with, initargs=(os.getpid(),)
        )
        return self._pool.submit(query.function, *query.arguments)

    def _listener(self, deliver: Deliver) -> Callable[[Future[Any]], None]:
        def answered(done: Future[Any]) -> None:
            self._num_running -= 1
            self._start()
            deliver(_outcome(done))

        return lambda done: self._post(lambda: answered(done))


def _outcome(done: Future[Any]) -> Solved | SaliscopeError:
    error = done.exception()
    return to_wire_error(error) if isinstance(error, Exception) else Solved(done.result())
