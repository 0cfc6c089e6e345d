"""Fair turns: whoever had least of the device comes first."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Turns(Generic[K]):
    """Start-time fair queueing: each member has a virtual time, which is what it has had.

    A newcomer begins at the time of whoever was served last: it neither waits for the past nor is owed any. One that
    was served and comes back before the next turn goes on with its own time.
    """

    def __init__(self) -> None:
        self._times: dict[K, float] = {}
        #: Who waits, with the number of its entry in the heap; other entries are stale.
        self._waiting: dict[K, int] = {}
        self._ties: dict[K, int] = {}
        self._heap: list[tuple[float, int, int, K]] = []
        self._count = 0
        self._now = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, member: K, tie: int) -> None:
        """A member waits (again), of equals the one with the least `tie` first; one that waits is left alone."""
        if member not in self._waiting:
            self._times[member] = max(self._times.get(member, 0.0), self._now)
            self._ties[member] = tie
            self._push(member)

    def leave(self, member: K) -> None:
        """A member waits no longer; what it had is remembered while it matters."""
        self._waiting.pop(member, None)
        self._ties.pop(member, None)
        if len(self._times) > 2 * len(self._waiting) + 64:
            kept = self._times.items()
            self._times = {each: time for each, time in kept if each in self._waiting or time > self._now}

    def charge(self, member: K, cost: float) -> None:
        """A member that waits has had `cost` of the device."""
        self._times[member] += cost
        self._push(member)

    def time(self, member: K) -> float:
        """The virtual time of a member that waits."""
        return self._times[member]

    def first(self, count: int) -> list[K]:
        """At most `count` of those who wait, in order of turns. A new turn begins."""
        found: dict[K, tuple[float, int, int, K]] = {}
        while self._heap and len(found) < count:
            entry = heapq.heappop(self._heap)
            if self._waiting.get(entry[3]) == entry[2]:
                found[entry[3]] = entry
        for entry in found.values():
            heapq.heappush(self._heap, entry)
        if found:
            self._now = max(self._now, next(iter(found.values()))[0])
        else:
            self._times.clear()
        return list(found)

    def _push(self, member: K) -> None:
        self._count += 1
        self._waiting[member] = self._count
        heapq.heappush(self._heap, (self._times[member], self._ties[member], self._count, member))
