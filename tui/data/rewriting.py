"""A field of a row with another text, and every other byte of the row as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from saliscope.protocol.errors import SaliscopeError
from saliscope.tui.places import edit_between

_BLANK: Final = re.compile(r"[ \t\n\r]*")
#: What stands for one character in a string of JSON: a pair of surrogates is one.
_JSON_UNIT: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)
_CELL_UNIT: Final = re.compile(r'\r\n|""|.', re.DOTALL)


def json_with(line: str, field: str | None, new: str) -> str:
    """A line of JSON in which a field of the map (None: the line is a string itself) holds another text.

    What did not change is escaped as it was; what is new only where nothing in the line beyond ASCII is bare.
    """
    start, end = _json_place(line, field)
    literal = line[start:end]
    is_ascii = "\\u" in line and line.isascii()

    def encoded(text: str) -> str:
        return json.dumps(text, ensure_ascii=is_ascii)[1:-1]

    for made in (_spliced(_JSON_UNIT.findall(literal[1:-1]), json.loads(literal), new, encoded), encoded(new)):
        if json.loads(f'"{made}"') == new:
            return f'{line[:start]}"{made}"{line[end:]}'
    raise AssertionError("what json writes it also reads")


def _json_place(line: str, field: str | None) -> tuple[int, int]:
    """Where the string of a field stands, with its quotes; of several fields of this name the last one counts."""
    at = _skip(line, 0)
    if field is None:
        return at, _value(line, at)[1]
    found = None
    at = _skip(line, at + 1)
    while line[at] != "}":
        key, at = _value(line, at)
        start = at = _skip(line, _skip(line, at) + 1)
        at = _value(line, at)[1]
        if key == field:
            found = start, at
        at = _skip(line, at)
        at = _skip(line, at + 1) if line[at] == "," else at
    if found is None:
        raise SaliscopeError("bad_request", f"the row has no field {field} any more")
    return found


def _value(line: str, at: int) -> tuple[Any, int]:
    """A value of JSON, and the place behind it."""
    found: tuple[Any, int] = json.JSONDecoder().raw_decode(line, at)
    return found


def _skip(line: str, at: int) -> int:
    found = _BLANK.match(line, at)
    return at if found is None else found.end()


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

    units = _CELL_UNIT.findall(cell[1:-1]) if is_quoted else []
    old = "".join('"' if unit == '""' else "\n" if unit in ("\r\n", "\r") else unit for unit in units)
    made = _spliced(units, old, new, encoded) if is_quoted else encoded(new)
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


def _spliced(units: Sequence[str], old: str, new: str, encode: Callable[[str], str]) -> str:
    """The units of a text, one a character, with those replaced that are others in the new text."""
    edit = edit_between(old, new)
    if edit is None or len(units) != len(old):
        return "".join(units) if edit is None else encode(new)
    return "".join(units[: edit.start]) + encode(edit.text) + "".join(units[edit.end :])
