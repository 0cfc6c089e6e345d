"""Durations counted by how long they were, as `status` and the metrics tell them."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Final

#: Upper bounds in seconds; what is longer than the last counts in one more place.
BOUNDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class Histogram:
    """How many durations fell below each bound, and their sum in seconds."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def to_dict(self) -> dict[str, Any]:
        """`bounds`, `counts` (one more than bounds, not cumulative) and `sum`."""
        return {"bounds": list(BOUNDS), "counts": list(self._counts), "sum": self._sum}
