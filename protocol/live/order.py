"""The records of a document in order of place, of which those behind an edit move all at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Final, overload

from saliscope.protocol.documents import Span
from saliscope.protocol.edits import Edit
from saliscope.protocol.live.record import Drift, LiveRecord, landed

_START: Final = attrgetter("start")
#: Among so many records before an edit is looked for those that reach into it; more, and their lengths are seen anew.
_MANY: Final = 64


class Order(Sequence[LiveRecord]):
    """Records by start. From the last edit on they share a drift: an edit costs as much as it lies away from that one.

    While a record is in here, only `move` and the record itself change where it starts, and they keep the order.
    """

    def __init__(self) -> None:
        self._records: list[LiveRecord] = []
        #: The index from which on records have the drift.
        self._gap = 0
        self._drift = Drift()
        #: No record is longer.
        self._longest = 0
        self._changed: Span | None = None

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[LiveRecord]:
        return iter(self._records)

    @overload
    def __getitem__(self, at: int) -> LiveRecord: ...
    @overload
    def __getitem__(self, at: slice) -> list[LiveRecord]: ...
    def __getitem__(self, at: int | slice) -> LiveRecord | list[LiveRecord]:
        return self._records[at]

    def window(self, start: int, end: int) -> tuple[int, int]:
        """The first index and the one behind the last, between which all records are that touch a span."""
        first = bisect_left(self._records, start - self._longest, key=_START)
        return first, bisect_right(self._records, end, key=_START)

    def near(self, start: int, end: int) -> list[LiveRecord]:
        """The records that lie in or touch a span."""
        first, behind = self.window(start, end)
        return [record for record in self._records[first:behind] if record.end >= start]

    def take_changed(self) -> Span | None:
        """The span outside of which, since this was asked last, records only moved, as edits before them say; None: all
        did.
        """
        changed, self._changed = self._changed, None
        return changed

    def at(self, offset: int) -> LiveRecord | None:
        """The last record that starts at a place or before it, if it reaches there; right behind it is its own too."""
        at = bisect_right(self._records, offset, key=_START) - 1
        return self._records[at] if at >= 0 and offset <= self._records[at].end else None

    def place_of(self, record: LiveRecord) -> int:
        """The index of a record that is in here."""
        at = bisect_left(self._records, record.start, key=_START)
        while self._records[at] is not record:
            at += 1
        return at

    def add(self, record: LiveRecord) -> None:
        """Put a record in where it starts, behind those that start there too."""
        at = bisect_right(self._records, record.start, key=_START)
        self._records.insert(at, record)
        if at <= self._gap:
            self._gap += 1
        else:
            record.drift_with(self._drift)
        self._longest = max(self._longest, record.places.length)
        self.touch(record)

    def remove(self, record: LiveRecord) -> None:
        """Take a record out; it stays where it stands."""
        at = self.place_of(record)
        del self._records[at]
        if at < self._gap:
            self._gap -= 1
        record.drift_with(None)
        self.touch(record)

    def move(self, edit: Edit) -> list[LiveRecord]:
        """Move all with an edit of the document; those that it touched."""
        behind = bisect_left(self._records, edit.end, key=_START)
        self._open_gap(behind)
        self._drift.by += edit.shift
        if self._changed is not None:
            self._changed = landed(self._changed[0], edit), landed(self._changed[1], edit)
        self._note(edit.start, edit.start + len(edit.text))
        first = bisect_left(self._records, edit.start - self._longest, key=_START)
        touched = [one for one in self._records[first:behind] if one.end > edit.start and one.edited(edit)]
        if behind - first - len(touched) > _MANY:
            self._longest = max((one.places.length for one in self._records), default=0)
        else:
            self._longest = max(self._longest, *(one.places.length for one in touched), 0)
        return touched

    def touch(self, record: LiveRecord) -> None:
        """Another thing is known of a record where it stands: this counts as a change too."""
        self._note(record.start, record.end)

    def _note(self, start: int, end: int) -> None:
        old = self._changed or (start, end)
        self._changed = min(old[0], start), max(old[1], end)

    def _open_gap(self, at: int) -> None:
        """Let the records from `at` on have the drift, and no others."""
        for record in self._records[self._gap : at]:
            record.drift_with(None)
        for record in self._records[at : self._gap]:
            record.drift_with(self._drift)
        self._gap = at
