"""Code points and rows and columns of an editor; and the edit that leads from one text to the next."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from saliscope.protocol.edits import Edit


def edit_between(old: str, new: str) -> Edit | None:
    """The shortest one edit that makes the new text of the old one; None if they are equal."""
    if old == new:
        return None
    most = min(len(old), len(new))
    start = _common(old, new, most)
    tail = _common_end(old, new, most - start)
    return Edit(start, len(old) - tail, new[start : len(new) - tail])


def _common(one: str, other: str, most: int) -> int:
    """How long a beginning both share, up to `most`: halving, so that the comparing itself is done by slices."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(one: str, other: str, most: int) -> int:
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low


class Lines:
    """Where the lines of a text begin, for both directions."""

    def __init__(self, lines: Sequence[str], newline: str) -> None:
        self._starts = list(accumulate((len(line) + len(newline) for line in lines), initial=0))[:-1]

    def offset(self, row: int, column: int) -> int:
        """The code point at a row and a column."""
        return self._starts[row] + column

    def location(self, offset: int) -> tuple[int, int]:
        """The row and column of a code point."""
        row = max(0, bisect_right(self._starts, offset) - 1)
        return row, offset - self._starts[row]
