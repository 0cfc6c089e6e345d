"""Formats of lines: plain text as a whole, by line, by paragraph, and JSON lines."""

from __future__ import annotations

import re
from json import JSONDecodeError
from typing import Final

from saliscope.daemon.front.documents.json_nodes import parse_json
from saliscope.daemon.front.documents.mapping import SourceMap, Span
from saliscope.daemon.front.documents.record import Field, Finding, Placed, make_record
from saliscope.daemon.front.documents.shaping import Names, shape_record

BOM: Final = "\ufeff"
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n)?")
_PARAGRAPH: Final = re.compile(
    # Blank lines before, lines with something visible, blank lines after: all of it is one piece of the document.
    r"(?:[^\S\r\n]*(?:\r\n?|\n))*(?:[^\r\n]*\S[^\r\n]*(?:\r\n?|\n|\Z))*(?:[^\S\r\n]*(?:\r\n?|\n))*(?:[^\S\r\n]+\Z)?"
)


def cut_whole(text: str, start: int, names: Names) -> int:
    """One piece: the document."""
    return len(text)


def cut_line(text: str, start: int, names: Names) -> int:
    """The end of the line that begins at `start`, its break included."""
    return _end(_LINE, text, start)


def cut_paragraph(text: str, start: int, names: Names) -> int:
    """The end of the paragraph that begins at `start`, with the blank lines around it."""
    return _end(_PARAGRAPH, text, start)


def parse_plain(piece: str, first: bool, names: Names) -> list[Placed]:
    """The visible part of a piece as one record; none if nothing is visible."""
    start, end = visible(piece, first)
    return [plain_record(piece, (start, end))] if start < end else []


def parse_json_line(piece: str, first: bool, names: Names) -> list[Placed]:
    """One JSON value on a line; a line that is none is a broken record."""
    start, end = visible(piece, first)
    if start == end:
        return []
    try:
        return [shape_record(piece, parse_json(piece, start), names)]
    except JSONDecodeError as error:
        return [broken(piece, (start, end), f"this is no JSON: {error.msg}", error.pos)]


def plain_record(piece: str, span: Span) -> Placed:
    """A record whose text stands in the source as it is."""
    start, end = span
    return make_record(
        piece, span, [Field("text", "text", piece[start:end], SourceMap.straight(start, end - start))], []
    )


def broken(piece: str, span: Span, message: str, at: int | None = None) -> Placed:
    """A record that is not what its format says, from `at` on."""
    place = (at, span[1]) if at is not None and span[0] <= at < span[1] else span
    return make_record(piece, span, [], [Finding("broken", message, place)])


def visible(piece: str, first: bool) -> Span:
    """The part of a piece without blanks around it, and without the byte order mark of a document's first."""
    start = 1 if first and piece.startswith(BOM) else 0
    end = len(piece.rstrip())
    if end <= start:
        return start, start
    return start + len(piece[start:]) - len(piece[start:].lstrip()), end


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    assert found is not None
    return found.end()
