"""What every renderer takes: a source text and the scores of its spans, cut into segments to colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from saliscope.render.buckets import bucket, peak_of
from saliscope.render.graphemes import graphemes
from saliscope.render.text import visible


class Mark(NamedTuple):
    """A score for `text[start:end]` in code points; None where the span has no score."""

    start: int
    end: int
    score: float | None


class Segment(NamedTuple):
    """A stretch of the visible text that looks the same all over."""

    text: str
    start: int
    end: int
    score: float | None
    bucket: int
    seen: bool


@dataclass(frozen=True, slots=True)
class Painting:
    """A text with scored spans.

    `signed` tells whether a sign means for or against; `seen_to` is where the model stopped reading;
    `peak` is the magnitude of the deepest colour (default: the largest of the scores).
    """

    text: str
    marks: Sequence[Mark]
    signed: bool = True
    seen_to: int | None = None
    peak: float | None = None

    @property
    def depth(self) -> float:
        """The magnitude that gets the deepest colour."""
        return peak_of(mark.score for mark in self.marks) if self.peak is None else self.peak

    def bucket(self, score: float | None) -> int:
        """The bucket of a score in this painting."""
        return bucket(score, self.depth)

    def segments(self) -> list[Segment]:
        """The visible text cut into segments that cover it in order and never split a grapheme.

        A grapheme that several marks share shows the one of largest magnitude. Spaces at the edge of
        a mark stay uncoloured, so that words stand apart.
        """
        text, depth = visible(self.text), self.depth
        limit = len(text) if self.seen_to is None else self.seen_to
        marks = _tidy(self.marks, text)
        segments: list[Segment] = []
        first, open_mark, begin = 0, None, 0
        for start, end in graphemes(text):
            while first < len(marks) and marks[first].end <= start:
                first += 1
            found = _strongest(marks, first, start, end)
            boundary = found is not open_mark or (start >= limit > begin)
            if boundary and start > begin:
                segments.append(_segment(text, begin, start, open_mark, depth, limit))
                begin = start
            open_mark = found
        if text:
            segments.append(_segment(text, begin, len(text), open_mark, depth, limit))
        return segments


def _segment(text: str, start: int, end: int, mark: Mark | None, depth: float, limit: int) -> Segment:
    score = None if mark is None else mark.score
    return Segment(text[start:end], start, end, score, bucket(score, depth), start < limit)


def _tidy(marks: Iterable[Mark], text: str) -> list[Mark]:
    """The marks with a number for a score, inside the text, without outer spaces, in order of their start."""
    kept = []
    for mark in marks:
        start, end = max(0, mark.start), min(len(text), mark.end)
        if mark.score is None or not isfinite(mark.score) or start >= end:
            continue
        span = text[start:end]
        if not span.isspace():
            start, end = start + len(span) - len(span.lstrip()), end - len(span) + len(span.rstrip())
        kept.append(Mark(start, end, mark.score))
    return sorted(kept)


def _strongest(marks: Sequence[Mark], first: int, start: int, end: int) -> Mark | None:
    """Among the marks from `first` on that touch `[start, end)`, the one of largest magnitude."""
    best: Mark | None = None
    for index in range(first, len(marks)):
        mark = marks[index]
        if mark.start >= end:
            break
        if mark.end > start and (best is None or abs(mark.score or 0.0) > abs(best.score or 0.0)):
            best = mark
    return best
