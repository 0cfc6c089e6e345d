"""How urgent work is: three classes, and what the lower ones are sure of."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from typing import Final


class Level(IntEnum):
    """The classes of work, the most urgent first."""

    INTERACTIVE = 0
    REQUEST = 1
    BULK = 2

    @property
    def label(self) -> str:
        """Its name on the wire."""
        return self.name.lower()


LEVELS: Final = {level.label: level for level in Level}

#: The part of the device that a class gets whatever waits above it.
SHARES: Final = {Level.REQUEST: 0.2, Level.BULK: 0.1}


class Guarantee:
    """Whose turn it is among the classes: the highest that waits, now and then a lower one for its share.

    Two micro-batches out of turn never follow each other: who waits in the highest class waits for the micro-batch
    that runs and for one more at most.
    """

    def __init__(self) -> None:
        self._credit = dict.fromkeys(SHARES, 0.0)
        self._was_out_of_turn = False

    def pick(self, waiting: Collection[Level]) -> Level:
        """The class to serve of those (at least one) that wait."""
        highest = min(waiting)
        for level in self._credit:
            if level not in waiting:
                self._credit[level] = 0.0
        owed = [level for level in waiting if level > highest and self._credit[level] > 0]
        if not owed or self._was_out_of_turn:
            self._was_out_of_turn = False
            return highest
        self._was_out_of_turn = True
        # Where not all can have their share, all fall short of it alike.
        return max(owed, key=lambda level: self._credit[level] / SHARES[level])

    def served(self, level: Level, cost: float, waiting: Collection[Level]) -> None:
        """A micro-batch of this cost was given to `level` while the `waiting` ones waited."""
        for other, share in SHARES.items():
            if other == level and level > min(waiting):
                self._credit[other] -= (1 - share) * cost
            elif other != level and other in waiting:
                self._credit[other] += share * cost
