"""Interleaved timing, and ratios with their spread."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

Run = Callable[[], object]

BUSY = 0.5
"""Load for each processor, without us, above which figures are called noisy."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio should reach, or stay under."""

    at_least: float | None = None
    at_most: float | None = None

    def judge(self, ratio: float) -> str:
        """The goal in words, and whether it is met."""
        if self.at_least is not None:
            return f">= {self.at_least:g} {'met' if ratio >= self.at_least else 'NOT MET'}"
        if self.at_most is not None:
            return f"<= {self.at_most:g} {'met' if ratio <= self.at_most else 'NOT MET'}"
        return ""


NO_GOAL = Goal()


def cpu_seconds(run: Run) -> float:
    """Seconds of the processor that a call takes in this process."""
    start = time.process_time()
    run()
    return time.process_time() - start


def race(runs: Mapping[str, Run], repetitions: int) -> dict[str, list[float]]:
    """CPU seconds of each of `runs`, one after another in every repetition; each ran once before."""
    return clocked({name: partial(cpu_seconds, run) for name, run in runs.items()}, repetitions)


def clocked(runs: Mapping[str, Callable[[], float]], repetitions: int) -> dict[str, list[float]]:
    """As `race`, of runs that time themselves."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for repetition in range(repetitions):
        # Whoever comes first finds colder caches: everybody does in turn.
        names = list(runs)
        shift = repetition % len(names)
        for name in names[shift:] + names[:shift]:
            times[name].append(runs[name]())
    return times


def ratios(over: list[float], under: list[float]) -> list[float]:
    """Repetition by repetition."""
    return [a / b for a, b in zip(over, under, strict=True)]


def spread(values: list[float], form: str = ".2f") -> str:
    """Median and range."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def header(repetitions: int) -> str:
    """Where and how it was measured, and whether others were at work."""
    load, count = os.getloadavg()[0], os.cpu_count() or 1
    lines = [
        f"CPU seconds of one process with one thread, float32, {count} processors.",
        f"Median (range) of {repetitions} interleaved repetitions, after one that is not counted.",
        f"Load average at the start: {load:.1f}.",
    ]
    if load > BUSY * count:
        lines.append("THE MACHINE IS BUSY: others are at work, so read the ranges and repeat this on a quiet one.")
    if repetitions < 5:
        lines.append("FEWER THAN 5 REPETITIONS: a trial, no result.")
    return "\n".join(lines)
