"""A row of a table with another text in a cell, and every other character as it was."""

from __future__ import annotations

import re
from typing import Final

from saliscope.tui.data.splicing import spliced

_UNIT: Final = re.compile(r'\r\n|""|.', re.DOTALL)


def cells_with(row: str, delimiter: str, column: int, new: str) -> str:
    """A row of a table in which one cell holds another text; it gets quotes only if it needs them."""
    start, end = _cells(row, delimiter)[column]
    cell = row[start:end]
    is_quoted = len(cell) > 1 and cell.startswith('"') and _closing(cell, 1) == len(cell)
    if not is_quoted and not cell.startswith('"') and not _needs_quotes(new, delimiter):
        return row[:start] + new + row[end:]
    line_break = "\r\n" if "\r\n" in cell else "\n"

    def encoded(text: str) -> str:
        return text.replace('"', '""').replace("\n", line_break)

    units = _UNIT.findall(cell[1:-1]) if is_quoted else []
    old = "".join('"' if unit == '""' else "\n" if unit in ("\r\n", "\r") else unit for unit in units)
    made = spliced(units, old, new, encoded) if is_quoted else encoded(new)
    return f'{row[:start]}"{made}"{row[end:]}'


def _needs_quotes(text: str, delimiter: str) -> bool:
    return not text or text.startswith('"') or any(char in text for char in (delimiter, "\r", "\n"))


def _cells(row: str, delimiter: str) -> list[tuple[int, int]]:
    """Where the cells of a row stand, with their quotes."""
    found, start = [], 0
    while True:
        after = _closing(row, start + 1) if row.startswith('"', start) else start
        end = row.find(delimiter, after)
        found.append((start, len(row) if end < 0 else end))
        if end < 0:
            return found
        start = end + 1


def _closing(text: str, at: int) -> int:
    """Behind the quote that closes what was opened before `at`; the end of the text if none does."""
    while (at := text.find('"', at)) >= 0:
        if text[at + 1 : at + 2] != '"':
            return at + 1
        at += 2
    return len(text)
