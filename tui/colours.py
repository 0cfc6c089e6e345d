"""Which stretches of a line have which colour, from the scores of the records that lie on it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from saliscope.render.buckets import peak_of
from saliscope.render.painting import Mark, Painting

if TYPE_CHECKING:
    from saliscope.protocol.live import LiveDocument, LiveRecord


class Stretch(NamedTuple):
    """Code points `start` to `end` of a line that look the same; `stale`: its record has changed since."""

    start: int
    end: int
    bucket: int
    stale: bool
    seen: bool


class Feature(NamedTuple):
    """A scored feature of a record: where it stands in the document, and its number in the explanation."""

    start: int
    end: int
    number: int


class Colours:
    """Looks up the colours of a live document; `clear` it when the document is another, edited, or known better."""

    def __init__(self, document: LiveDocument) -> None:
        self.document = document
        self._features: dict[int, list[Feature]] = {}
        self._peaks: dict[int, float] = {}

    def clear(self) -> None:
        """Forget what was looked up."""
        self._features.clear()
        self._peaks.clear()

    def line(self, text: str, start: int) -> Iterator[Stretch]:
        """The coloured stretches of a line that begins at code point `start` of the document."""
        end = start + len(text)
        for record in self._records(start, end):
            explanation = record.explanation
            if explanation is None:
                continue
            marks = [
                Mark(one.start - start, one.end - start, explanation.scores[one.number])
                for one in self._on(record, start, end)
            ]
            cut = record.truncated_at
            seen_to = None if cut is None else max(0, cut - start)
            painting = Painting(text, marks, explanation.signed, seen_to, self._peaks[record.id])
            for part in painting.segments():
                unseen = not part.seen and part.start < record.end - start
                if part.bucket or unseen:
                    yield Stretch(part.start, part.end, part.bucket, record.stale, not unseen)

    def features(self, record: LiveRecord) -> list[Feature]:
        """The features of a record that stand in the document, in order of place."""
        found = self._features.get(record.id)
        if found is None:
            spans = enumerate(record.features if record.explanation is not None else ())
            found = sorted(Feature(*span, index) for index, span in spans if span is not None)
            self._features[record.id] = found
            scores = record.explanation.scores if record.explanation is not None else ()
            self._peaks[record.id] = peak_of(scores)
        return found

    def feature_at(self, offset: int) -> tuple[LiveRecord, int] | None:
        """The record and the index of the feature at a code point, or just before it; None where there is none."""
        record = self.document.record_at(offset)
        if record is None or record.explanation is None:
            return None
        features = self.features(record)
        at = bisect_right(features, offset, key=lambda one: one.start) - 1
        if at >= 0 and features[at].end > offset:
            return record, features[at].number
        if at >= 0 and features[at].end == offset:
            return record, features[at].number
        return None

    def _on(self, record: LiveRecord, start: int, end: int) -> list[Feature]:
        features = self.features(record)
        first = bisect_right(features, start, key=lambda one: one.end)
        return features[first : bisect_left(features, end, key=lambda one: one.start)]

    def _records(self, start: int, end: int) -> Iterator[LiveRecord]:
        records = self.document.records
        at = max(0, bisect_right(records, start, key=lambda one: one.start) - 1)
        while at < len(records) and records[at].start < max(end, start + 1):
            if records[at].end > start:
                yield records[at]
            at += 1
