"""What happened so far, as entries that a person reads and filters; never anything of the text."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, NamedTuple

Level = Literal["info", "warning", "error"]
#: From the least to the most urgent.
LEVELS: Final[tuple[Level, ...]] = ("info", "warning", "error")
MAX_ENTRIES: Final = 500


class Entry(NamedTuple):
    """One thing that happened, at a second since the epoch."""

    at: float
    level: Level
    said: str

    @property
    def clock(self) -> str:
        """The time of day, as the reader's clock shows it."""
        return time.strftime("%H:%M:%S", time.localtime(self.at))

    @property
    def line(self) -> str:
        """The entry on one line, as it is copied."""
        return f"{self.clock} {self.level}: {' '.join(self.said.split())}"


class Diary:
    """The newest entries, oldest first; `count` is of all there ever were."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def note(self, said: str, level: Level = "info") -> None:
        """Keep what happened."""
        self._entries.append(Entry(self._clock(), level, said))
        self.count += 1


def chosen(entries: Iterable[Entry], least: Level, query: str) -> list[Entry]:
    """The entries of a level or a more urgent one that have all words of the query, in any case."""
    words, floor = query.casefold().split(), LEVELS.index(least)
    return [
        one for one in entries
        if LEVELS.index(one.level) >= floor and all(word in one.line.casefold() for word in words)
    ]  # fmt: skip
