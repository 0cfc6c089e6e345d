"""Rows of tables with positions, as the standard library's `csv` reads them: it says what a cell holds, not where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from saliscope.daemon.front.documents.mapping import SourceMap, Span, joined

_BREAK: Final = re.compile(r"\r\n?|\n")
_DELIMITERS: Final = ",;\t|"


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell holds, at `start` to `end` of the source, quotes included; `pieces` of the source spell it."""

    value: str
    start: int
    end: int
    pieces: tuple[Span, ...]

    def spelling(self) -> SourceMap | str:
        """Where the characters stand."""
        return joined(self.pieces, self.start)

    def members(self) -> Sequence[tuple[str, Cell]]:
        """Nothing: a cell is a string."""
        return ()

    def elements(self) -> Sequence[Cell]:
        """Nothing: a cell is a string."""
        return ()


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row that ends, its line break included, at `end`; `unclosed` is where a quote opens for ever."""

    cells: tuple[Cell, ...]
    end: int
    unclosed: int | None = None


def scan_row(text: str, start: int, delimiter: str, quote: str = '"') -> Row:
    """The row that begins at `start`; a blank line has no cell. Within quotes a quote is doubled."""
    blank = _BREAK.match(text, start)
    if blank:
        return Row((), blank.end())
    bare = _bare(delimiter)
    cells: list[Cell] = []
    at = start
    while True:
        cell, unclosed = _scan_cell(text, at, bare, quote)
        cells.append(cell)
        if unclosed is not None or cell.end == len(text):
            return Row(tuple(cells), cell.end, unclosed)
        if text[cell.end] != delimiter:
            found = _BREAK.match(text, cell.end)
            assert found is not None
            return Row(tuple(cells), found.end())
        at = cell.end + 1


def find_delimiter(text: str, start: int) -> str:
    """The one of `,`, `;`, tab and `|` that divides the first row into the most cells; a comma if none does."""
    return max(_DELIMITERS, key=lambda delimiter: len(scan_row(text, start, delimiter).cells))


def _scan_cell(text: str, start: int, bare: re.Pattern[str], quote: str) -> tuple[Cell, int | None]:
    if not text.startswith(quote, start):
        end = _end(bare, text, start)
        return Cell(text[start:end], start, end, ((start, end),)), None
    pieces: list[Span] = []
    at = start + 1
    while (close := text.find(quote, at)) >= 0:
        if not text.startswith(quote, close + 1):
            # What follows a closing quote in the same cell belongs to it, quotes and all.
            end = _end(bare, text, close + 1)
            pieces += [(at, close), (close + 1, end)]
            return _cell(text, start, end, pieces), None
        pieces.append((at, close + 1))
        at = close + 2
    pieces.append((at, len(text)))
    return _cell(text, start, len(text), pieces), start


def _cell(text: str, start: int, end: int, pieces: list[Span]) -> Cell:
    held = tuple(piece for piece in pieces if piece[0] < piece[1])
    return Cell("".join(text[begin:stop] for begin, stop in held), start, end, held)


@lru_cache(maxsize=16)
def _bare(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf"[^{re.escape(delimiter)}\r\n]*")


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    assert found is not None
    return found.end()
