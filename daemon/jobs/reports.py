"""What the process of a job tells the front: JSON lines on its standard output."""

from __future__ import annotations

import asyncio
import os
from typing import Final, Literal

import msgspec
from msgspec import Struct

#: So often counts are told.
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
    """Counts, and tells the front of every stage, and now and then of the counts."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._told = (0, 0)
        self.now = Report("checking")

    async def run(self) -> None:
        """Tell what has changed, now and then, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            if self._told != (self.now.done, self.now.failed):
                self._tell()

    def stage(self, stage: str) -> None:
        """Say what begins now."""
        self.now.stage = stage
        self._tell()

    def answered(self, done: int, failed: int) -> None:
        """Count rows."""
        self.now.done += done
        self.now.failed += failed

    def end(self, end: Literal["done", "paused", "failed"], code: str = "", reason: str = "") -> None:
        """Say that this is all."""
        self.now.end, self.now.code, self.now.reason = end, code, reason
        self._tell()

    def _tell(self) -> None:
        self._told = (self.now.done, self.now.failed)
        os.write(self._fd, msgspec.json.encode(self.now) + b"\n")
