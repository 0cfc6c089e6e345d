"""What the process of a job tells the front: JSON lines on its standard output."""

from __future__ import annotations

import os
import time
from typing import Final, Literal

import msgspec
from msgspec import Struct

#: Progress is told so often at most.
_EVERY_S: Final = 0.2


class Report(Struct, omit_defaults=True):
    """How far a job is; `end` says that this is the last report, with the `code` and `reason` of one that failed."""

    stage: str
    done: int = 0
    failed: int = 0
    total: int | None = None
    end: Literal["", "done", "paused", "failed"] = ""
    code: str = ""
    reason: str = ""


class Reporter:
    """Counts, and tells the front now and then."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._last = 0.0
        self.now = Report("checking")

    def stage(self, stage: str) -> None:
        """Say what begins now."""
        self.now.stage = stage
        self._tell()

    def answered(self, done: int, failed: int) -> None:
        """Count rows."""
        self.now.done += done
        self.now.failed += failed
        if time.monotonic() - self._last >= _EVERY_S:
            self._tell()

    def end(self, end: Literal["done", "paused", "failed"], code: str = "", reason: str = "") -> None:
        """Say that this is all."""
        self.now.end, self.now.code, self.now.reason = end, code, reason
        self._tell()

    def _tell(self) -> None:
        self._last = time.monotonic()
        os.write(self._fd, msgspec.json.encode(self.now) + b"\n")
