"""A line of JSON with other strings in it, and every other character as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from saliscope.protocol.errors import SaliscopeError
from saliscope.tui.data.splicing import spliced

_BLANK: Final = re.compile(r"[ \t\n\r]*")
#: What stands for one character in a string of JSON: a pair of surrogates is one.
_UNIT: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)
Span = tuple[int, int]


def with_strings(line: str, new: Mapping[str | None, str]) -> str:
    """A line in which fields of the map hold other texts (under None: the line is a string itself).

    What did not change is escaped as it was; what is new only where nothing in the line beyond ASCII is bare.
    """
    is_ascii = _is_ascii(line)
    for field, text in new.items():
        line = _with_string(line, field, text, is_ascii=is_ascii)
    return line


def with_messages(line: str, messages: Sequence[tuple[int | None, Mapping[str, str]]]) -> str:
    """A line whose field `messages` holds these: the number of an old one with the fields that are others, or None and
    all fields of a new one.
    """
    is_ascii = _is_ascii(line)
    start, end = _place(line, "messages")
    places = _elements(line, start)
    old = [line[a:b] for a, b in places]
    is_dense = bool(old) and '": ' not in old[0]

    def literal(source: int | None, fields: Mapping[str, str]) -> str:
        if source is None:
            separators = (",", ":") if is_dense else (", ", ": ")
            return json.dumps(dict(fields), ensure_ascii=is_ascii, separators=separators)
        made = old[source]
        for name, text in fields.items():
            made = _with_string(made, name, text, is_ascii=is_ascii)
        return made

    made = [literal(*one) for one in messages]
    between = [line[a[1] : b[0]] for a, b in pairwise(places)]
    if [source for source, _ in messages] != list(range(len(old))):
        # Others, or in another order: all are kept apart as the first two were.
        between = [between[0] if between else "," if is_dense else ", "] * (len(made) - 1)
    head = line[: places[0][0]] if places else line[: start + 1]
    tail = line[places[-1][1] :] if places else line[end - 1 :]
    return head + "".join(text + gap for text, gap in zip(made, [*between, ""], strict=True)) + tail


def _is_ascii(line: str) -> bool:
    return "\\u" in line and line.isascii()


def _with_string(line: str, field: str | None, new: str, *, is_ascii: bool) -> str:
    start, end = _place(line, field)
    literal = line[start:end]

    def encoded(text: str) -> str:
        return json.dumps(text, ensure_ascii=is_ascii)[1:-1]

    for made in (spliced(_UNIT.findall(literal[1:-1]), json.loads(literal), new, encoded), encoded(new)):
        if json.loads(f'"{made}"') == new:
            return f'{line[:start]}"{made}"{line[end:]}'
    raise AssertionError("what json writes it also reads")


def _place(line: str, field: str | None) -> Span:
    """Where the value of a field stands; of several fields of this name the last one counts."""
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
        raise SaliscopeError("bad_request", f"there is no field {field} to be written")
    return found


def _elements(line: str, at: int) -> list[Span]:
    """Where the elements of the list that begins here stand."""
    found = []
    at = _skip(line, at + 1)
    while line[at] != "]":
        start, at = at, _value(line, at)[1]
        found.append((start, at))
        at = _skip(line, at)
        at = _skip(line, at + 1) if line[at] == "," else at
    return found


def _value(line: str, at: int) -> tuple[Any, int]:
    """A value of JSON, and the place behind it."""
    found: tuple[Any, int] = json.JSONDecoder().raw_decode(line, at)
    return found


def _skip(line: str, at: int) -> int:
    found = _BLANK.match(line, at)
    return at if found is None else found.end()
