"""Which stretches of a line have which colour, from the scores of the records that lie on it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from textual.cache import LRUCache

from saliscope.protocol.explanation import Explanation
from saliscope.protocol.live.record import Places
from saliscope.render.buckets import peak_of
from saliscope.render.painting import Mark, Painting

if TYPE_CHECKING:
    from saliscope.protocol.live import LiveDocument, LiveRecord

#: So many lines, and the features of so many records, are kept.
KEPT_LINES: Final = 1024
KEPT_RECORDS: Final = 256


class Stretch(NamedTuple):
    """Code points `start` to `end` of a line that look the same; `stale`: its record has changed since."""

    start: int
    end: int
    bucket: int
    stale: bool
    seen: bool


class Feature(NamedTuple):
    """A scored feature of a record: where it stands, counted from the record's start, and its number."""

    start: int
    end: int
    number: int


class _Known(NamedTuple):
    """The features of a record in order of place, and its peak, as long as it has this explanation and these places."""

    explanation: Explanation | None
    places: Places
    features: list[Feature]
    peak: float


class Colours:
    """Looks up the colours of a live document.

    What was found is kept by what it came from, so an edit, or news of a record, costs the lines that it concerns.
    """

    def __init__(self, document: LiveDocument) -> None:
        self.document = document
        self._records: LRUCache[int, _Known] = LRUCache(KEPT_RECORDS)
        # With the objects whose identities are in the key: while they live, nothing else has these.
        self._lines: LRUCache[object, tuple[list[object], tuple[Stretch, ...]]] = LRUCache(KEPT_LINES)

    def line(self, text: str, start: int) -> tuple[Stretch, ...]:
        """The coloured stretches of a line that begins at code point `start` of the document."""
        records = list(self._on_line(start, start + len(text)))
        key = (text, *((id(one.explanation), id(one.places), one.start - start, one.stale) for one in records))
        found = self._lines.get(key)
        if found is None:
            objects: list[object] = [part for one in records for part in (one.explanation, one.places)]
            found = objects, tuple(part for one in records for part in self._stretches(one, text, start))
            self._lines[key] = found
        return found[1]

    def _stretches(self, record: LiveRecord, text: str, start: int) -> Iterator[Stretch]:
        """What of a line that begins at `start` a record colours."""
        explanation = record.explanation
        if explanation is None:
            return
        known, shift = self._known(record), record.start - start
        first = bisect_right(known.features, -shift, key=lambda one: one.end)
        behind = bisect_left(known.features, len(text) - shift, key=lambda one: one.start)
        marks = [
            Mark(one.start + shift, one.end + shift, explanation.scores[one.number])
            for one in known.features[first:behind]
        ]
        cut = record.truncated_at
        seen_to = None if cut is None else max(0, cut - start)
        painting = Painting(text, marks, explanation.signed, seen_to, known.peak)
        for part in painting.segments():
            unseen = not part.seen and part.start < record.end - start
            if part.bucket or unseen:
                yield Stretch(part.start, part.end, part.bucket, record.stale, not unseen)

    def _known(self, record: LiveRecord) -> _Known:
        known = self._records.get(record.id)
        explanation, places = record.explanation, record.places
        if known is None or known.explanation is not explanation or known.places is not places:
            spans = enumerate(places.features if explanation is not None else ())
            features = sorted(Feature(*span, index) for index, span in spans if span is not None)
            peak = peak_of(explanation.scores if explanation is not None else ())
            self._records[record.id] = known = _Known(explanation, places, features, peak)
        return known

    def feature_at(self, offset: int) -> tuple[LiveRecord, int] | None:
        """The record and the index of the feature at a code point, or just before it; None where there is none."""
        record = self.document.record_at(offset)
        if record is None or record.explanation is None:
            return None
        features, place = self._known(record).features, offset - record.start
        at = bisect_right(features, place, key=lambda one: one.start) - 1
        return (record, features[at].number) if at >= 0 and features[at].end >= place else None

    def _on_line(self, start: int, end: int) -> Iterator[LiveRecord]:
        records = self.document.records
        at = max(0, bisect_right(records, start, key=lambda one: one.start) - 1)
        while at < len(records) and records[at].start < max(end, start + 1):
            if records[at].end > start:
                yield records[at]
            at += 1
