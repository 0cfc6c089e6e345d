"""How much memory models may take on a device: limits as people write them, held against what is measured."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import torch

from saliscope.daemon.worker.memory import resident_bytes
from saliscope.explainers.errors import BadRequest

#: Shares that are used where nothing is said: of the memory that the system has left, and of the GPU.
RAM_SHARE: Final = 0.8
GPU_SHARE: Final = 0.9
_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_CGROUP: Final = Path("/sys/fs/cgroup")


class Meter(Protocol):
    """What one device says of its memory, in bytes."""

    def used(self) -> int:
        """What this process holds there."""

    def free(self) -> int:
        """What anybody could still get there."""

    def spare(self) -> int:
        """What this process could still use there."""


class RamMeter:
    """The memory of this machine, or of the control group that this process is confined to."""

    def used(self) -> int:
        """See `Meter`."""
        return resident_bytes()

    def free(self) -> int:
        """See `Meter`."""
        return min(_available_bytes(), _confined_bytes())

    def spare(self) -> int:
        """See `Meter`."""
        return self.free()


@dataclass(frozen=True, slots=True)
class GpuMeter:
    """The memory of one GPU."""

    place: torch.device

    def used(self) -> int:
        """See `Meter`; what torch keeps for later counts."""
        return int(torch.cuda.memory_reserved(self.place))

    def free(self) -> int:
        """See `Meter`."""
        return int(torch.cuda.mem_get_info(self.place)[0])

    def spare(self) -> int:
        """See `Meter`; what torch keeps for later can be used."""
        return self.free() + self.used() - int(torch.cuda.memory_allocated(self.place))


class Budget:
    """The memory of one device that models may take: `limit` bytes of this process there, and what is really free.

    Every model is charged what it was measured to take; `reserved` is for those that are being loaded.
    """

    def __init__(self, meter: Meter, limit: str | None, share: float) -> None:
        self.meter = meter
        self.base = meter.used()
        self.limit = parse_limit(limit or str(share), self.base + meter.free())
        self.reserved = 0
        self.charged = 0

    @property
    def used(self) -> int:
        """What is taken: as measured, or as promised where that is more (loads that go on, pages that are out)."""
        return max(self.meter.used(), self.base + self.charged + self.reserved)

    def available(self) -> int:
        """What a further model may take now."""
        return max(0, min(self.limit - self.used, self.meter.free() - self.reserved))


class Budgets:
    """A budget for each device, made when the first model goes there."""

    def __init__(
        self, ram: str | None = None, gpu: str | None = None, meter: Callable[[torch.device], Meter] | None = None
    ) -> None:
        self._limits = {"cpu": (ram, RAM_SHARE), "cuda": (gpu, GPU_SHARE)}
        self._meter = meter or meter_of
        self._made: dict[torch.device, Budget] = {}
        # What cannot be read is said when the worker starts, not by the first request.
        for limit, _ in self._limits.values():
            if limit is not None:
                parse_limit(limit, 1)

    @classmethod
    def of_environment(cls) -> Budgets:
        """The limits that the worker was started with."""
        return cls(os.environ.get("SALISCOPE_MEMORY") or None, os.environ.get("SALISCOPE_GPU_MEMORY") or None)

    def of(self, place: torch.device) -> Budget:
        """The budget of a device."""
        if place not in self._made:
            self._made[place] = Budget(self._meter(place), *self._limits[place.type])
        return self._made[place]

    def told(self) -> dict[str, dict[str, int]]:
        """Limit and use of each device, for `status`."""
        return {str(place): {"limit": one.limit, "used": one.used} for place, one in self._made.items()}


def meter_of(place: torch.device) -> Meter:
    """What measures the memory of a device."""
    return GpuMeter(place) if place.type == "cuda" else RamMeter()


def parse_limit(text: str, whole: int) -> int:
    """A share ("0.8", "80%") of `whole` bytes, or bytes ("12GiB", "500MB"); else `BadRequest`."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|(?:([kmg]i?)?b)?)\s*", text, re.IGNORECASE)
    if found is None:
        raise BadRequest(f"memory limit {text!r}: expected a share (0.8, 80%) or a size (12GiB, 500MB)")
    number, unit = float(found[1]), found[2]
    if unit == "%":
        number, unit = number / 100, ""
    if not unit:
        if not 0 < number <= 1:
            raise BadRequest(f"memory limit {text!r}: a share is between 0 and 1; a size has a unit (12GiB, 500MB)")
        return int(number * whole)
    return int(number * _UNITS[(found[3] or "").lower()])


def in_words(num_bytes: float) -> str:
    """Bytes for people: 13.2 MB."""
    for unit in ("B", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}" if unit == "B" or num_bytes >= 100 else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"


def _available_bytes() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _physical_bytes()


def _physical_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _confined_bytes() -> int:
    """What the control group still allows; what it only keeps of files can be had back."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        if limit == "max":
            return _physical_bytes()
        used = int((_CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        return int(limit) - used + int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0))
    except (OSError, ValueError):
        return _physical_bytes()
