"""While nobody wants anything: are the weights in memory still those that were loaded?"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from typing import Final

from saliscope.daemon.worker.pool.entry import Entry
from saliscope.daemon.worker.pool.pool import ModelPool
from saliscope.explainers.models.textmodel import TextModel

log = logging.getLogger(__name__)

#: How long it must have been quiet, how often a model is looked at, and how long one slice may take.
QUIET_S: Final = 5.0
EVERY_S: Final = 600.0
SLICE_S: Final = 0.02


class Patrol:
    """Verifies one idle model at a time, in slices between two looks at the inbox.

    One that has changed goes; the next request loads it anew. `counters` has how many were verified and were changed.
    """

    def __init__(self, pool: ModelPool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._disturbed = clock()
        self.counters = {"verified": 0, "corrupted": 0}

    def disturbed(self) -> None:
        """Something was computed."""
        self._disturbed = self._clock()

    @property
    def wait_s(self) -> float | None:
        """How long the worker may wait before `tick` has something to do; None: as long as it takes."""
        entry = self._next()
        if entry is None:
            return None
        if entry.verifying is not None:
            return 0.0
        return max(0.0, self._disturbed + QUIET_S - self._clock(), entry.verified + EVERY_S - self._clock())

    def tick(self) -> None:
        """Go on for one slice, or begin with the next model when it is time."""
        entry = self._next()
        if entry is None or self.wait_s != 0:
            return
        assert entry.model is not None
        if entry.verifying is None:
            entry.verifying = verifying(entry.model)
        until = self._clock() + SLICE_S
        try:
            while self._clock() < until:
                next(entry.verifying)
        except StopIteration as end:
            entry.verifying = None
            self._judge(entry, end.value)

    def _next(self) -> Entry | None:
        return min(self._pool.idle(), key=lambda entry: entry.verified, default=None)

    def _judge(self, entry: Entry, found: str) -> None:
        assert entry.model is not None
        entry.verified = self._clock()
        self.counters["verified"] += 1
        entry.seal = entry.seal or found
        if found != entry.seal or found.partition(" ")[0] != entry.model.facts.fingerprint:
            self.counters["corrupted"] += 1
            log.error("the weights of %s have changed in memory; the next request loads it anew", entry.name)
            self._pool.drop(entry)


def verifying(model: TextModel) -> Generator[None, None, str]:
    """The fingerprint and a sum over every bit of the weights, in slices of milliseconds."""
    fingerprint = yield from model.fingerprinting()
    total = yield from model.summing()
    return f"{fingerprint} {total}"
