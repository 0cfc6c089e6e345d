"""Where the tokens of an explanation stand in the document that its record is part of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from saliscope.daemon.front.documents.mapping import SourceMap, Span
from saliscope.daemon.front.documents.store import Located


class _Part(NamedTuple):
    """Code points `start` to `end` of the explained text, and their way to the record's source."""

    start: int
    end: int
    map: SourceMap


class Places:
    """The way from the positions of an explanation (as plain values) to those of the document."""

    def __init__(self, located: Located, explanation: Mapping[str, Any]) -> None:
        self._start = located.start
        maps = [field.map for field in located.record.fields if field.kind != "label"]
        segments = explanation.get("segments") or [{"start": 0, "end": len(explanation["text"])}]
        # A chat may end with the opening of an answer, which stands in no source.
        self._parts = [
            _Part(segment["start"], segment["end"], map) for segment, map in zip(segments, maps, strict=False)
        ]

    def spans(self, rows: Sequence[Mapping[str, Any]]) -> list[Span | None]:
        """The source spans of tokens or features; None for one that stands in no field."""
        return [None if row.get("special") else self.span(row["start"], row["end"]) for row in rows]

    def span(self, start: int, end: int) -> Span | None:
        """The source span of a span of the explained text; None where it lies in no field."""
        for part in self._parts:
            if part.start <= start and end <= min(part.end, part.start + part.map.length):
                first, last = part.map.to_source(start - part.start, end - part.start)
                return self._start + first, self._start + last
        return None

    def rest(self, place: int) -> Span | None:
        """The source span from a place of the explained text to the end of the field that it lies in."""
        for part in self._parts:
            if part.start <= place <= part.end:
                return self.span(place, min(part.end, part.start + part.map.length))
        return None
