"""Where the lines of a text begin, of which those behind an edit move all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence


class Starts:
    """Code points in order, the first 0. Those from the last edit on count without `_by`, by which they have moved
    since, so that an edit costs as much as it lies away from the one before.
    """

    def __init__(self, starts: Iterable[int]) -> None:
        self._starts = list(starts)
        self._gap, self._by = len(self._starts), 0

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, line: int) -> int:
        start = self._starts[line]
        return start if line < self._gap else start + self._by

    def line_of(self, offset: int) -> int:
        """The line, from 0, on which a code point lies."""
        starts, gap = self._starts, self._gap
        if gap < len(starts) and offset >= starts[gap] + self._by:
            return bisect_right(starts, offset - self._by, gap) - 1
        return bisect_right(starts, offset, 0, gap) - 1

    def replace(self, first: int, rest: int, fresh: Sequence[int], shift: int) -> None:
        """Put `fresh` in the place of the lines `first` to `rest` (exclusive), and move those behind by `shift`."""
        starts, gap, by = self._starts, self._gap, self._by
        if rest > gap:
            starts[gap:rest] = [start + by for start in starts[gap:rest]]
        else:
            starts[rest:gap] = [start - by for start in starts[rest:gap]]
        starts[first:rest] = fresh
        self._gap, self._by = first + len(fresh), by + shift
