"""Loads that wait for room: admitted when they fit, after those that nobody uses have gone, longest unused first."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import torch

from saliscope.daemon.worker.pool.budget import Budget, Budgets, in_words
from saliscope.daemon.worker.pool.entry import Entry
from saliscope.daemon.worker.pool.loading import OutOfMemory, Weighed
from saliscope.explainers.errors import ExplainerError, NoRoom

#: How long a load waits for models in use to become idle.
WAIT_S: Final = 30.0
#: Models whose measured size is known the next time.
MOST_REMEMBERED: Final = 256


@dataclass(slots=True, eq=False)
class Asked:
    """A load that waits, and until when."""

    weighed: Weighed
    entry: Entry
    deadline: float
    needed: int


class Room:
    """Who may be loaded: what is needed is known from the files, or from the last time; what is there is measured."""

    def __init__(self, budgets: Budgets) -> None:
        self.budgets = budgets
        self._asked: list[Asked] = []
        self._measured: OrderedDict[tuple[str, object], int] = OrderedDict()

    @property
    def deadline(self) -> float:
        """When the first of those that wait is told that there is no room; infinite if nobody waits."""
        return min((asked.deadline for asked in self._asked), default=math.inf)

    @property
    def is_short(self) -> bool:
        """Whether a load waits that does not fit as things are."""
        return any(self.budgets.of(asked.weighed.place).available() < asked.needed for asked in self._asked)

    def used(self, place: torch.device) -> int:
        """Bytes that this process holds on a device."""
        return self.budgets.of(place).meter.used()

    def ask(self, weighed: Weighed, entry: Entry, now: float) -> None:
        """Let a load wait for its turn."""
        needed = max(weighed.size, self._measured.get((entry.name, entry.options), 0))
        self._asked.append(Asked(weighed, entry, now + WAIT_S, needed))

    def admit(
        self, now: float, idle: Callable[[], list[Entry]], evict: Callable[[Entry], None]
    ) -> Iterator[tuple[Weighed, Entry]]:
        """Those that fit now, in order; room is made for each by evicting idle models of its device."""
        for asked in list(self._asked):
            budget = self.budgets.of(asked.weighed.place)
            there = [entry for entry in idle() if entry.place == asked.weighed.place]
            if budget.available() + sum(entry.size for entry in there) < asked.needed:
                continue
            while budget.available() < asked.needed and there:
                evict(there.pop(0))
            if budget.available() < asked.needed:
                continue
            self._asked.remove(asked)
            asked.entry.size = asked.needed
            budget.reserved += asked.needed
            yield asked.weighed, asked.entry

    def late(self, now: float, entries: Iterable[Entry]) -> Iterator[tuple[Entry, ExplainerError]]:
        """Those that have waited too long, and those that would not fit if all others had gone."""
        held = list(entries)
        for asked in list(self._asked):
            budget = self.budgets.of(asked.weighed.place)
            there = [entry for entry in held if entry.place == asked.weighed.place and entry is not asked.entry]
            most = budget.available() + sum(entry.size for entry in there)
            # While something loads, its reserve and what it has already taken cannot be told apart.
            never = most < asked.needed and budget.reserved == 0
            if now >= asked.deadline or never:
                self._asked.remove(asked)
                in_use = [entry.name for entry in there if entry.users]
                yield asked.entry, refusal(asked.entry.name, asked.needed, budget, in_use)

    def settle(self, entry: Entry, size: int) -> None:
        """What was reserved for a load gives way to what it was measured to take."""
        assert entry.place is not None
        budget = self.budgets.of(entry.place)
        budget.reserved -= entry.size
        budget.charged += size
        entry.size = self._measured[entry.name, entry.options] = size
        while len(self._measured) > MOST_REMEMBERED:
            self._measured.popitem(last=False)

    def give_back(self, entry: Entry) -> None:
        """A model has gone, or its load has failed."""
        assert entry.place is not None
        budget = self.budgets.of(entry.place)
        if entry.model is not None:
            budget.charged -= entry.size
        else:
            budget.reserved -= entry.size
        entry.size = 0

    def explained(self, error: ExplainerError, weighed: Weighed) -> ExplainerError:
        """An error of loading, with the numbers where memory ran out."""
        if not isinstance(error, OutOfMemory):
            return error
        budget = self.budgets.of(weighed.place)
        return NoRoom(
            f"{error.message}, also after everything idle was unloaded: its weights need {in_words(weighed.size)},"
            f" {in_words(budget.available())} are available on {weighed.place}; load it with dtype bfloat16, choose a"
            " smaller model, or another device",
            needed=weighed.size,
            available=budget.available(),
        )


def refusal(name: str, needed: int, budget: Budget, in_use: list[str]) -> NoRoom:
    """Why a model is not loaded, with both numbers and what to do."""
    busy = f" ({', '.join(in_use)} in use)" if in_use else ""
    return NoRoom(
        f"{name} needs {in_words(needed)}, and {in_words(budget.available())} are available{busy} under the limit of"
        f" {in_words(budget.limit)}; unload a model, load this one with dtype bfloat16, or start the daemon with a"
        " larger SALISCOPE_MEMORY or SALISCOPE_GPU_MEMORY",
        needed=needed,
        available=budget.available(),
        limit=budget.limit,
    )
