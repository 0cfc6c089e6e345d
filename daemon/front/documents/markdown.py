"""Markdown: paragraphs, headings and list items are records; front matter, code and HTML are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from saliscope.daemon.front.documents.front_matter import front_matter
from saliscope.daemon.front.documents.mapping import Span, joined
from saliscope.daemon.front.documents.record import Field, Finding, Placed, make_record
from saliscope.daemon.front.documents.shaping import Names

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")
_TICKS: Final = re.compile(r"\\.|(`+)", re.DOTALL)
_parser: Final = MarkdownIt("commonmark")


def parse_markdown(text: str, first: bool, names: Names) -> list[Placed]:
    """One record a block of prose, in the order of the document."""
    begin = front_matter(text)
    source = text[begin:]
    lines = [match.span() for match in _LINE.finditer(source) if match.end() > match.start()]
    blocks = (token for token in _parser.parse(source) if token.type == "inline" and token.map and token.content)
    return [
        Placed(begin + start, record)
        for block in blocks
        for start, record in _record(source, lines[slice(*block.map or ())], block)
    ]


def _record(source: str, lines: list[Span], block: Token) -> list[Placed]:
    pieces = _places(source, lines, block.content)
    if pieces is None:
        span = (lines[0][0], lines[-1][0] + len(source[slice(*lines[-1])].rstrip()))
        finding = Finding("not-explained", "the lines of this block could not be found in the source", span)
        return [make_record(source, span, [], [finding])]
    span = (pieces[0][0], pieces[-1][1])
    prose = list(_without_code(pieces, block.content))
    text = "".join(source[start:end] for start, end in prose)
    if not text.strip():
        return []
    return [make_record(source, span, [Field("text", "text", text, joined(prose, span[0]))], [])]


def _places(source: str, lines: list[Span], content: str) -> list[Span] | None:
    """Where each line of a block's content stands, its break with it; None if one is not in its line.

    What a block has in front of its lines, as `> ` or `- `, is not content.
    """
    found: list[Span] = []
    said = content.split("\n")
    if len(said) > len(lines):
        return None
    for number, (words, (start, end)) in enumerate(zip(said, lines, strict=False)):
        at = source.rfind(words, start, end)
        if at < 0:
            return None
        last = number == len(said) - 1
        found.append((at, at + len(words) if last else end))
    return found


def _without_code(pieces: list[Span], content: str) -> Iterator[Span]:
    """The pieces without code between backticks."""
    lengths = [len(line) + 1 for line in content.split("\n")]
    holes = list(_code(content))
    at = 0
    for (start, end), length in zip(pieces, lengths, strict=True):
        here = start
        for begin, stop in holes:
            low, high = max(begin - at, 0), min(stop - at, length)
            if low < high:
                yield here, start + low
                here = end if high == length else start + high
        yield min(here, end), end
        at += length


def _code(content: str) -> Iterator[Span]:
    """Spans of inline code: a run of backticks, not escaped, to the next run of as many."""
    at = 0
    while opened := _TICKS.search(content, at):
        at = opened.end()
        if not opened[1]:
            continue
        closing = re.compile(rf"(?<!`)`{{{len(opened[1])}}}(?!`)").search(content, at)
        if closing:
            yield opened.start(), closing.end()
            at = closing.end()
