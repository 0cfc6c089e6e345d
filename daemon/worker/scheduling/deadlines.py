"""Who must be answered by when."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """Times by member, the nearest first."""

    def __init__(self) -> None:
        self._at: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._at)

    def set(self, member: K, at: float) -> None:
        """Let a member be due at a time."""
        self._at[member] = at
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, member))

    def forget(self, member: K) -> None:
        """Let a member be due no more; one that is not is left alone."""
        self._at.pop(member, None)
        # Members that were answered in time must not pile up.
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._at):
            self._heap = [entry for entry in self._heap if self._at.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def due(self, now: float) -> list[K]:
        """Who is due, each told once."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            at, _, member = heapq.heappop(self._heap)
            if self._at.get(member) == at:
                del self._at[member]
                found.append(member)
        return found

    @property
    def next(self) -> float | None:
        """When the next one is due, if anyone is."""
        while self._heap and self._at.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
