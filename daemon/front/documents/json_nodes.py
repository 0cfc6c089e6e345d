"""JSON with positions: the standard library's scanner says where values end, an escape map where characters stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final

from saliscope.daemon.front.documents.mapping import SourceMap, spelled

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[^u]", re.DOTALL
)
_scan: Final = JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A value at `start` to `end` of `source`."""

    source: str
    value: Any
    start: int
    end: int

    def members(self) -> list[tuple[str, JsonNode]]:
        """The entries of an object."""
        return list(_members(self.source, self.start)) if isinstance(self.value, dict) else []

    def elements(self) -> list[JsonNode]:
        """The entries of an array."""
        return list(_elements(self.source, self.start)) if isinstance(self.value, list) else []

    def spelling(self) -> SourceMap | str:
        """Where the characters of a string stand."""
        found = spelled(_pieces(self.source, self.start + 1, self.end - 1), self.start + 1)
        return found if found.length == len(self.value) else "the escapes of the string do not add up to its text"


def parse_json(source: str, start: int = 0) -> JsonNode:
    """The one value from `start` on, and nothing but blanks after it; else JSONDecodeError."""
    try:
        node = _value(source, _blank(source, start))
    except JSONDecodeError:
        raise
    except RecursionError:
        raise JSONDecodeError("Nested too deeply", source, start) from None
    except ValueError as error:
        # A number of more digits than Python reads.
        raise JSONDecodeError(str(error).partition(";")[0], source, start) from None
    rest = _blank(source, node.end)
    if rest < len(source):
        raise JSONDecodeError("Extra data", source, rest)
    return node


def _value(source: str, start: int) -> JsonNode:
    value, end = _scan(source, start)
    return JsonNode(source, value, start, end)


def _members(source: str, start: int) -> Iterator[tuple[str, JsonNode]]:
    at = _blank(source, start + 1)
    while source[at] != "}":
        name, at = _scan(source, at)
        node = _value(source, _blank(source, _blank(source, at) + 1))
        yield name, node
        at = _after(source, node.end)


def _elements(source: str, start: int) -> Iterator[JsonNode]:
    at = _blank(source, start + 1)
    while source[at] != "]":
        node = _value(source, at)
        yield node
        at = _after(source, node.end)


def _after(source: str, at: int) -> int:
    """Where the next entry begins, or the closing bracket stands."""
    at = _blank(source, at)
    return _blank(source, at + 1) if source[at] == "," else at


def _blank(source: str, at: int) -> int:
    found = _BLANK.match(source, at)
    assert found is not None
    return found.end()


def _pieces(source: str, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    at = start
    if source.find("\\", start, end) >= 0:
        for escape in _ESCAPE.finditer(source, start, end):
            yield escape.start() - at, at, 1
            yield 1, escape.start(), escape.end() - escape.start()
            at = escape.end()
    yield end - at, at, 1
