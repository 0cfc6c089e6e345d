"""Memory of the worker's process: what is in RAM, and giving freed pages back to the system."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import time
from typing import Final

import torch

#: Trimming takes some milliseconds: at most one in this many seconds.
PERIOD_S: Final = 1.0


class Trimmer:
    """Gives freed memory back, now and then: micro-batches of ever new shapes leave holes that malloc keeps.

    Fixed thresholds of malloc keep memory as flat, but every large tensor then costs a system call (mase: +50 %).
    """

    def __init__(self) -> None:
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._last = time.monotonic()
        self._is_due = False

    def worked(self) -> None:
        """Something was computed since the last time."""
        self._is_due = self._trim is not None

    @property
    def wait_s(self) -> float | None:
        """How long to wait for other work before `tidy` has something to do; None: as long as it takes."""
        return max(0.0, self._last + PERIOD_S - time.monotonic()) if self._is_due else None

    def tidy(self, *, now: bool = False) -> bool:
        """Trim, if something was computed and the last time is long enough ago (or `now`); whether it did."""
        if not self._is_due or self._trim is None or not (now or time.monotonic() >= self._last + PERIOD_S):
            return False
        self._trim(0)
        self._last, self._is_due = time.monotonic(), False
        return True


def reclaim() -> None:
    """Give back what a model has left behind: unreachable objects, malloc's free pages, torch's cache on GPUs."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def resident_bytes() -> int:
    """Memory of this process that is in RAM (its peak where the system tells no more)."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
