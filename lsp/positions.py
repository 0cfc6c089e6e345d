"""A text as an editor sees it: lines, and columns in the units that were agreed on; inside, all is code points."""

from __future__ import annotations

import re
from typing import Final, Literal

from lsprotocol import types

from saliscope.lsp.starts import Starts
from saliscope.protocol.edits import BREAK, Edit

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_CODECS: Final = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
_LONE: Final = re.compile("[\ud800-\udfff]")


def sound(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which no socket takes; as long in every encoding."""
    return text if text.isascii() else _LONE.sub("\ufffd", text)


class Lines:
    """A text and where its lines begin. Lines end as the protocol says: \\n, \\r\\n or \\r, and nothing else."""

    def __init__(self, text: str, encoding: Encoding = "utf-16") -> None:
        self.text = sound(text)
        self.encoding: Encoding = encoding
        self._starts = Starts([0, *(match.end() for match in BREAK.finditer(self.text))])
        self._edited: set[int] | None = set()

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def is_plain(self) -> bool:
        """Whether each code point is one unit; a text knows whether it is ASCII."""
        return self.encoding == "utf-32" or self.text.isascii()

    def line_of(self, offset: int) -> int:
        """The line, from 0, on which a code point lies."""
        return self._starts.line_of(offset)

    def line(self, number: int) -> tuple[int, int]:
        """Where a line begins and ends, in code points, without its break."""
        start = self._starts[number]
        if number + 1 == len(self._starts):
            return start, len(self.text)
        end = self._starts[number + 1] - 1
        return start, end - (self.text[end - 1 : end + 1] == "\r\n" and end > start)

    def units(self, start: int, end: int) -> int:
        """How many units of the client `text[start:end]` has."""
        if self.is_plain:
            return end - start
        piece = self.text[start:end]
        if piece.isascii():
            return end - start
        codec, width = _CODECS[self.encoding]
        return len(piece.encode(codec)) // width

    def offset(self, position: types.Position) -> int:
        """The code point of a position; one behind its line is the line's end, one inside a character its start."""
        if position.line >= len(self._starts):
            return len(self.text)
        start, end = self.line(position.line)
        if self.is_plain:
            return min(end, start + position.character)
        if self.text[start : min(end, start + position.character)].isascii():
            return min(end, start + position.character)
        codec, width = _CODECS[self.encoding]
        cut = self.text[start:end].encode(codec)[: position.character * width]
        return start + len(cut.decode(codec, "ignore"))

    def place(self, offset: int) -> tuple[int, int]:
        """The line and column of a code point in the text, as plain numbers."""
        line = self._starts.line_of(offset)
        start = self._starts[line]
        return line, 0 if start == offset else self.units(start, offset)

    def position(self, offset: int) -> types.Position:
        """The position of a code point; behind the text is its end."""
        line, column = self.place(min(offset, len(self.text)))
        return types.Position(line=line, character=column)

    def range(self, start: int, end: int) -> types.Range:
        """The range of a span."""
        return types.Range(start=self.position(start), end=self.position(end))

    def plain_range(self, start: int, end: int) -> dict[str, dict[str, int]]:
        """The range of a span as JSON."""
        places = (self.place(min(at, len(self.text))) for at in (start, end))
        first, last = ({"line": line, "character": column} for line, column in places)
        return {"start": first, "end": last}

    def span(self, range: types.Range) -> tuple[int, int]:
        """The span of a range; one that ends before it starts is empty."""
        start = self.offset(range.start)
        return start, max(start, self.offset(range.end))

    def change(self, event: types.TextDocumentContentChangeEvent) -> Edit:
        """Make a change of the client, and say it as an edit."""
        text = sound(event.text)
        if isinstance(event, types.TextDocumentContentChangePartial):
            edit = Edit(*self.span(event.range), text)
        else:
            edit = difference(self.text, text)
        self.edit(edit)
        return edit

    def edit(self, edit: Edit) -> None:
        """Make an edit; only the lines that it touches are read again."""
        # A break may join the one before it, so reading begins a line earlier.
        line, number = self.line_of(edit.start), len(self._starts)
        first = max(0, line - 1)
        begin, rest = self._starts[first], self.line_of(edit.end) + 1
        end = None if rest == number else self._starts[rest] + edit.shift
        self.text = edit.applied(self.text)
        fresh = [match.end() for match in BREAK.finditer(self.text, begin, len(self.text) if end is None else end)]
        if fresh and fresh[-1] == end:
            fresh.pop()
        self._starts.replace(first, rest, [begin, *fresh], edit.shift)
        if len(self._starts) != number:
            self._edited = None
        elif self._edited is not None:
            self._edited.add(line)

    def take_edited(self) -> set[int] | None:
        """The lines with edits since this was asked last; None: lines came or went, so any may be another now."""
        edited, self._edited = self._edited, set()
        return edited


def difference(old: str, new: str) -> Edit:
    """One edit from a text to another, without what they begin and end with alike."""
    most = min(len(old), len(new))
    start = next((at for at in range(most) if old[at] != new[at]), most)
    most -= start
    same = next((size for size in range(most) if old[-1 - size] != new[-1 - size]), most)
    return Edit(start, len(old) - same, new[start : len(new) - same])
