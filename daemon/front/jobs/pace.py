"""How fast a job is, and how long the rest will take."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

#: What is older says nothing of the speed now.
_WINDOW_S: Final = 60.0


class Pace:
    """The speed of the last minute of one run."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, done: int) -> None:
        """So many rows are done now."""
        now = time.monotonic()
        self._seen.append((now, done))
        while now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()

    def rows_per_s(self) -> float | None:
        """Rows a second; None while that cannot be told."""
        if not self._seen:
            return None
        (begun, before), (now, done) = self._seen[0], self._seen[-1]
        return (done - before) / (now - begun) if now > begun and done > before else None
