"""Where each character of a decoded text stands in the source that spells it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

Span = tuple[int, int]


class Run(NamedTuple):
    """From character `at` on, each character is spelled by the next `stride` of the source, from `source` on."""

    at: int
    source: int
    stride: int


class SourceMap:
    """The way from the characters of a text to code points of its source; in both the order is the same."""

    __slots__ = ("length", "runs")

    def __init__(self, runs: tuple[Run, ...], length: int) -> None:
        self.runs = runs
        self.length = length

    @classmethod
    def straight(cls, source: int, length: int) -> SourceMap:
        """A text that stands in the source as it is."""
        return cls((Run(0, source, 1),), length)

    def to_source(self, start: int, end: int) -> Span:
        """The source span that spells characters `start` to `end`; ValueError where the text has no such span."""
        if not 0 <= start <= end <= self.length:
            raise ValueError(f"{start} to {end} is no span of a text of {self.length} characters")
        if start < end:
            return self._spelling(start)[0], self._spelling(end - 1)[1]
        if start < self.length:
            here = self._spelling(start)[0]
        else:
            here = self._spelling(self.length - 1)[1] if self.length else self.runs[0].source
        return here, here

    def shifted(self, by: int) -> SourceMap:
        """The same map in a source that begins `by` code points further left."""
        return SourceMap(tuple(Run(at, source + by, stride) for at, source, stride in self.runs), self.length)

    def _spelling(self, index: int) -> Span:
        at, source, stride = self.runs[bisect_right(self.runs, index, key=_at) - 1]
        here = source + (index - at) * stride
        return here, here + stride

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SourceMap) and (self.runs, self.length) == (other.runs, other.length)

    def __hash__(self) -> int:
        return hash((self.runs, self.length))

    def __repr__(self) -> str:
        return f"SourceMap({self.runs!r}, {self.length})"


def spelled(pieces: Iterable[tuple[int, int, int]], source: int) -> SourceMap:
    """The map of a text in pieces of (characters, where the first stands, stride); an empty text stands at `source`."""
    runs: list[Run] = []
    length = 0
    for count, place, stride in pieces:
        if not count:
            continue
        last = runs[-1] if runs else None
        if last is None or last.stride != stride or last.source + (length - last.at) * stride != place:
            runs.append(Run(length, place, stride))
        length += count
    return SourceMap(tuple(runs) or (Run(0, source, 1),), length)


def joined(pieces: Iterable[Span], source: int) -> SourceMap:
    """The map of a text that is these spans of the source, one behind the other."""
    return spelled(((end - start, start, 1) for start, end in pieces), source)


def _at(run: Run) -> int:
    return run.at
