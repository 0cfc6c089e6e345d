"""Fair turns: whoever had least of the device comes first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Turns(Generic[K]):
    """Start-time fair queueing: each member has a virtual time, which is what it has had.

    A newcomer begins at the time of whoever was served last: it neither waits for the past nor is owed any. One that
    was served and comes back before the next turn goes on with its own time.
    """

    def __init__(self) -> None:
        self._times: dict[K, float] = {}
        self._waiting: set[K] = set()
        self._now = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting(self) -> Collection[K]:
        """Who waits, in no order."""
        return self._waiting

    def enter(self, member: K) -> None:
        """A member waits (again); one that waits already is left alone."""
        if member not in self._waiting:
            self._times[member] = max(self._times.get(member, 0.0), self._now)
            self._waiting.add(member)

    def leave(self, member: K) -> None:
        """A member waits no longer; what it had is remembered while it matters."""
        self._waiting.discard(member)

    def charge(self, member: K, cost: float) -> None:
        """A member has had `cost` of the device."""
        if member in self._times:
            self._times[member] += cost

    def time(self, member: K) -> float:
        """The virtual time of a member."""
        return self._times.get(member, self._now)

    def order(self, tie: Callable[[K], int]) -> list[K]:
        """Who waits, in order of turns; of equals the one with the least `tie` first. A new turn begins."""
        order = sorted(self._waiting, key=lambda member: (self._times[member], tie(member)))
        if order:
            self._now = max(self._now, self._times[order[0]])
        else:
            self._now = max(self._times.values(), default=self._now)
        self._times = {
            member: time for member, time in self._times.items() if member in self._waiting or time > self._now
        }
        return order
