"""The time of one of many generators that run side by side."""

from __future__ import annotations

import time
from types import TracebackType


class Stopwatch:
    """The seconds that a generator has had: those of its own code, within `with`, and its share of passes."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._since: float | None = None

    def __call__(self) -> float:
        """The seconds so far."""
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return self._spent + running

    def charge(self, seconds: float) -> None:
        """Add its share of a pass."""
        self._spent += seconds

    def __enter__(self) -> None:
        self._since = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spent, self._since = self(), None
