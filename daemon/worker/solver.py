"""Pure computation beside the device: a small pool of processes, started when first needed."""

from __future__ import annotations

import heapq
import logging
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from saliscope.daemon.worker.dying import die_with
from saliscope.daemon.worker.errors import to_wire_error
from saliscope.daemon.worker.scheduling.level import Level
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.explainers.answers import Solved
from saliscope.explainers.queries import Solve
from saliscope.protocol.errors import SaliscopeError

log = logging.getLogger(__name__)

NUM_PROCESSES: Final = 2
ENDED: Final = "the process that computed a part of this was ended twice, the second time alone: is memory short?"

Deliver = Callable[["Solved | SaliscopeError"], None]


@dataclass(order=True)
class _Job:
    """A query in the queue, by urgency and age; one whose process ended under it `is_suspect`."""

    level: Level
    number: int
    owner: Owner = field(compare=False)
    query: Solve = field(compare=False)
    deliver: Deliver = field(compare=False)
    is_suspect: bool = field(default=False, compare=False)


class Solver:
    """Answers `Solve` queries, the most urgent first; answers come through `post`, on the worker's own thread.

    Where a process ends under its query, the queries that ran then run once more, each alone: the one that ends its
    process again is the one that cannot be answered. A query that starts a process of its own is only waited for, on a
    thread: it needs none that has imported all of ours first, which takes seconds.
    """

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._pool: ProcessPoolExecutor | None = None
        self._threads = ThreadPoolExecutor(NUM_PROCESSES, "fence")
        self._waiting: list[_Job] = []
        self._suspects: list[_Job] = []
        self._numbers = count()
        self._running: dict[int, _Job] = {}

    def submit(self, owner: Owner, query: Solve, deliver: Deliver) -> None:
        """Compute a query in another process; `deliver` gets its answer or the error."""
        heapq.heappush(self._waiting, _Job(owner.level, next(self._numbers), owner, query, deliver))
        self._start()

    def cancel(self, owner: Owner) -> None:
        """Drop what an owner has waiting; what runs already ends unheard, if whoever asked does not listen."""
        self._waiting = [job for job in self._waiting if job.owner is not owner]
        heapq.heapify(self._waiting)
        self._suspects = [job for job in self._suspects if job.owner is not owner]

    def close(self) -> None:
        """End the processes."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        if self._suspects and not self._running:
            self._begin(self._suspects.pop(0))
        is_alone = any(job.is_suspect for job in self._running.values())
        while self._waiting and not self._suspects and not is_alone and len(self._running) < NUM_PROCESSES:
            self._begin(heapq.heappop(self._waiting))

    def _begin(self, job: _Job) -> None:
        self._running[job.number] = job
        self._submit(job.query).add_done_callback(lambda done: self._post(lambda: self._answered(job, done)))

    def _submit(self, query: Solve) -> Future[Any]:
        if query.is_fenced:
            return self._threads.submit(query.function, *query.arguments)
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

    def _answered(self, job: _Job, done: Future[Any]) -> None:
        del self._running[job.number]
        outcome = _outcome(done)
        is_tried_again = outcome is None and not job.is_suspect
        if is_tried_again:
            job.is_suspect = True
            self._suspects.append(job)
        self._start()
        if not is_tried_again:
            job.deliver(outcome or SaliscopeError("internal", ENDED))


def _outcome(done: Future[Any]) -> Solved | SaliscopeError | None:
    """What came of a query; None where its process ended."""
    error = done.exception()
    if isinstance(error, BrokenExecutor):
        return None
    return to_wire_error(error) if isinstance(error, Exception) else Solved(done.result())
