"""Which records of a document still want to be explained, and which of them is next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from saliscope.protocol.terms import Priority

#: "prediction" is what the model says without the reasons, "estimate" one pass of the method that fits the model,
#: "method" the one that was chosen.
Stage = Literal["prediction", "estimate", "method"]
_STAGES: Final[tuple[Stage, ...]] = ("prediction", "estimate", "method")
#: How many records may be near.
MOST_NEAR: Final = 64


class Item(NamedTuple):
    """A record to be explained, how, and who waits for it."""

    record: int
    stage: Stage
    priority: Priority


class Agenda:
    """Records that wait, by id; the focused one goes first, then those near it, then the others in their order.

    Among the equally near the unseen go first, so that everything has an estimate before anything is refined. Only of
    the focused one is the prediction asked for alone: for the others a second pass is not worth it.
    """

    def __init__(self) -> None:
        self._waiting: dict[Stage, dict[int, None]] = {stage: {} for stage in _STAGES}
        self.focus: int | None = None
        self._near: tuple[int, ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __contains__(self, record: int) -> bool:
        return any(record in waiting for waiting in self._waiting.values())

    def add(self, record: int, stage: Stage) -> None:
        """Let a record wait for this stage."""
        self.drop(record)
        self._waiting[stage][record] = None

    def drop(self, record: int) -> None:
        """Forget a record that waits."""
        for waiting in self._waiting.values():
            waiting.pop(record, None)

    def clear(self) -> None:
        """Forget all that wait."""
        for waiting in self._waiting.values():
            waiting.clear()

    def look_at(self, focus: int | None, near: Sequence[int]) -> None:
        """The reader is at record `focus`, and sees those `near`."""
        self.focus = focus
        self._near = tuple(near)[:MOST_NEAR]

    def hurry(self, records: Iterable[int]) -> None:
        """Count records among those near."""
        self._near = tuple(dict.fromkeys((*records, *self._near)))[:MOST_NEAR]

    def priority_of(self, record: int) -> Priority:
        """Who waits for a record."""
        return "interactive" if record == self.focus else "request" if record in self._near else "bulk"

    def next(self) -> Item | None:
        """What is to be done next; it goes on waiting until it is dropped."""
        focused = () if self.focus is None else (self.focus,)
        for records in (focused, self._near):
            for stage in _STAGES:
                for record in records:
                    if record in self._waiting[stage]:
                        return self._item(record, stage)
        for stage in _STAGES:
            for record in self._waiting[stage]:
                return self._item(record, stage)
        return None

    def _item(self, record: int, stage: Stage) -> Item:
        priority = self.priority_of(record)
        return Item(record, "estimate" if stage == "prediction" and priority != "interactive" else stage, priority)
