"""Columns that line up, also with wide characters and with styles around the cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from saliscope.render.ansi import strip
from saliscope.render.graphemes import pad, width

GAP = "  "
#: The last column never gets narrower than this, even if the line runs over.
NARROWEST = 16


def columns(rows: Iterable[Sequence[str]], room: int, *, right: frozenset[int] = frozenset()) -> list[str]:
    """The rows as lines of at most `room` cells: a long last cell goes on below itself, those in `right` end flush.

    Cells may carry the escapes of `render.ansi`; only cells without are broken.
    """
    table = [list(row) for row in rows]
    if not table:
        return []
    count = max(map(len, table))
    widths = [max(width(strip(row[at])) for row in table if at < len(row)) for at in range(count)]
    before = sum(widths[:-1]) + len(GAP) * (count - 1)
    widths[-1] = min(widths[-1], max(NARROWEST, room - before))
    return [line for row in table for line in _lines(row, widths, before, right)]


def _lines(row: list[str], widths: list[int], before: int, right: frozenset[int]) -> list[str]:
    *cells, last = row
    rest: list[str] = []
    if len(row) == len(widths) and "\x1b" not in last and width(last) > widths[-1]:
        last, *rest = wrapped(last, widths[-1])
    filled = [_filled(cell, widths[at], at in right) for at, cell in enumerate([*cells, last])]
    return [GAP.join(filled).rstrip(), *(" " * before + line for line in rest)]


def _filled(cell: str, room: int, is_right: bool) -> str:
    plain = strip(cell)
    filled = pad(plain, room, right=is_right)
    return filled.replace(plain, cell, 1) if plain else filled


def wrapped(text: str, room: int, indent: str = "") -> list[str]:
    """A paragraph in lines of at most `room` cells where its words allow; all but the first are indented."""
    lines: list[str] = []
    line = text[: len(text) - len(text.lstrip())]
    for word in text.split():
        longer = f"{line} {word}" if line.strip() else line + word
        if line.strip() and width(longer) > room:
            lines.append(line)
            line = indent + word
        else:
            line = longer
    return [*lines, line] if line.strip() else lines
