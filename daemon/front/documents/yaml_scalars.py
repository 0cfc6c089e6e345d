"""Where the characters of a YAML scalar stand: its source read again, piece by piece, as the YAML 1.1 rules fold it.

What is read here is compared with what PyYAML read; only where both agree is the map believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from saliscope.daemon.front.documents.mapping import SourceMap, spelled

_BREAK: Final = "(?:\r\n|[\r\n\x85\u2028\u2029])"
_IS_BREAK: Final = re.compile(_BREAK)
_FOLD: Final = rf"(?P<fold>[ \t]*{_BREAK}(?:[ \t]*{_BREAK})*[ \t]*)"
_PLAIN: Final = re.compile(_FOLD)
_SINGLE: Final = re.compile(rf"{_FOLD}|(?P<quote>'')")
_DOUBLE: Final = re.compile(
    rf"{_FOLD}|(?P<joined>\\{_BREAK}(?:[ \t]*{_BREAK})*[ \t]*)"
    r"|\\(?:x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<short>[^xuU\r\n\x85\u2028\u2029]))"
)
_SHORT: Final = dict(zip('0abt\tnvfe "\\/N_LP', '\0\x07\x08\t\t\n\x0b\x0c\x1b "\\/\x85\xa0\u2028\u2029', strict=True))
_PROPERTIES: Final = re.compile(rf"(?:[&!][^\s]*(?:[ \t]|{_BREAK})+)*")
_HEADER: Final = re.compile(rf"[|>]([+-]?)[1-9]?([+-]?)[ \t]*(?:#[^\r\n\x85\u2028\u2029]*)?(?:{_BREAK}|\Z)")
_LEADING: Final = re.compile(rf"(?: *{_BREAK})* *")
_LINE: Final = re.compile("[^\r\n\x85\u2028\u2029]*")
_STYLES: Final = {None: _PLAIN, "": _PLAIN, "'": _SINGLE, '"': _DOUBLE}


class _Part(NamedTuple):
    """`text`, each character of it spelled by `stride` of the source, from `place` on."""

    text: str
    place: int
    stride: int


def scalar_map(source: str, start: int, end: int, style: str | None, value: str) -> SourceMap | None:
    """The map of a scalar at `start` to `end` whose text is `value`; None where the source says something else."""
    properties = _PROPERTIES.match(source, start, end)
    begin = properties.end() if properties else start
    readings = _blocks(source, begin) if style in ("|", ">") else iter([_flow(source, begin, end, style)])
    for parts in readings:
        if "".join(part.text for part in parts) == value:
            return spelled(((len(part.text), part.place, part.stride) for part in parts), begin)
    return None


def _flow(source: str, start: int, end: int, style: str | None) -> list[_Part]:
    if style in ("'", '"'):
        start, end = start + 1, end - 1
    parts: list[_Part] = []
    at = start
    for match in _STYLES[style].finditer(source, start, end):
        parts.append(_Part(source[at : match.start()], at, 1))
        at = match.end()
        parts += _special(match)
    return [*parts, _Part(source[at:end], at, 1)]


def _special(match: re.Match[str]) -> Iterator[_Part]:
    kind = match.lastgroup
    place, size = match.start(), match.end() - match.start()
    if kind in ("fold", "joined"):
        breaks = list(_IS_BREAK.finditer(match.string, place, match.end()))
        kept = breaks[1:]
        if kind == "fold" and _normal(breaks[0][0]) != "\n":
            kept = breaks
        elif kind == "fold" and not kept:
            yield _Part(" ", place, size)
        yield from (_break(found) for found in kept)
    elif kind == "quote":
        yield _Part("'", place, size)
    elif kind == "short":
        yield _Part(_SHORT.get(match["short"], ""), place, size)
    else:
        code = int(match[match.lastindex or 0], 16)
        yield _Part(chr(code) if code < 0x110000 else "", place, size)


def _blocks(source: str, start: int) -> Iterator[list[_Part]]:
    """The readings of a block scalar, by how deep it may be indented: as its first lines are, else any other way."""
    header = _HEADER.match(source, start)
    if header is None:
        return
    leading = _LEADING.match(source, header.end())
    assert leading is not None
    deepest = max(map(len, _IS_BREAK.split(leading[0])))
    chomping = header[1] or header[2]
    for indent in (deepest, *(depth for depth in range(1, deepest + 64) if depth != deepest)):
        yield _block(source, header.end(), indent, source[start] == ">", chomping)


def _block(source: str, at: int, indent: int, folded: bool, chomping: str) -> list[_Part]:
    parts: list[_Part] = []
    last: list[_Part] = []
    breaks, at, column = _skip(source, at, indent)
    while column == indent and at < len(source):
        parts += breaks
        line = _LINE.match(source, at)
        assert line is not None
        parts.append(_Part(line[0], at, 1))
        dense = not line[0].startswith((" ", "\t"))
        found = _IS_BREAK.match(source, line.end())
        last = [_break(found)] if found else []
        breaks, at, column = _skip(source, found.end() if found else line.end(), indent)
        if column != indent or at >= len(source):
            break
        if folded and dense and last and last[0].text == "\n" and source[at] not in " \t":
            # A single break between two lines is a blank; of several, the first is nothing.
            parts += [] if breaks else [_Part(" ", last[0].place, last[0].stride)]
        else:
            parts += last
        last = []
    if chomping != "-":
        parts += last
    if chomping == "+":
        parts += breaks
    return parts


def _skip(source: str, at: int, indent: int) -> tuple[list[_Part], int, int]:
    """The breaks of blank lines from `at` on, where the line after them has its text, and in which column."""
    breaks: list[_Part] = []
    while True:
        column = 0
        while column < indent and source.startswith(" ", at + column):
            column += 1
        found = _IS_BREAK.match(source, at + column)
        if found is None:
            return breaks, at + column, column
        breaks.append(_break(found))
        at = found.end()


def _break(match: re.Match[str]) -> _Part:
    return _Part(_normal(match[0]), match.start(), match.end() - match.start())


def _normal(found: str) -> str:
    return found if found in "\u2028\u2029" else "\n"
