"""The record store: a document's records through its edits, of which only what was touched is parsed again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count, zip_longest
from math import inf
from typing import Final, NamedTuple

from saliscope.daemon.front.documents.format import Format
from saliscope.daemon.front.documents.identity import Duplicates
from saliscope.daemon.front.documents.limits import check_beginning, check_lines, check_size
from saliscope.daemon.front.documents.record import Finding, Record
from saliscope.daemon.front.documents.runs import runs
from saliscope.daemon.front.documents.shaping import Names
from saliscope.daemon.front.documents.swap import Changes, Swap
from saliscope.daemon.front.documents.tape import Entry, Piece, Tape
from saliscope.protocol.edits import BREAK, Edit, check_edits, resync
from saliscope.protocol.errors import SaliscopeError

#: Edits of one change that go over no more code points than these are made at once.
_TOGETHER: Final = 1 << 14


class Located(NamedTuple):
    """A record, where it starts now, and all that is wrong with it, other records considered."""

    id: int
    start: int
    record: Record
    findings: tuple[Finding, ...]


class Store:
    """The records of one open document; a text over the limits is refused with the reason (see `limits`)."""

    def __init__(self, text: str, format: Format, names: Names | None = None, version: int = 0) -> None:
        check_beginning(text)
        check_size(len(text), _breaks(text), format.name)
        check_lines(text, 0, len(text))
        self.format = format
        self.names = names or Names()
        self.text = text
        self.version = version
        self._ids = count()
        self._context = format.context(text, self.names)
        self._entries: dict[int, Entry] = {}
        self._duplicates = Duplicates()
        pieces, _ = self._cut(text, 0, None)
        self._tape = Tape(pieces)
        Swap(self._entries, self._duplicates, self._ids).attach([], pieces)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Located]:
        start = 0
        for piece in self._tape:
            for entry in piece.entries:
                yield self._located(entry, start + entry.offset)
            start += piece.length

    def __contains__(self, id: int) -> bool:
        return id in self._entries

    def __getitem__(self, id: int) -> Located:
        entry = self._entries[id]
        return self._located(entry, self._tape.sums_before(entry.piece)[0] + entry.offset)

    @property
    def has_one_shape(self) -> bool:
        """Whether all records that can be explained are texts, or all are pairs, or all are chats."""
        shapes = (entry.record.shape for entry in self._entries.values() if entry.record.explained)
        first = next(shapes, None)
        return all(shape == first for shape in shapes)

    def near(self, place: int) -> int | None:
        """The id of the record at a place of the source, else of the last one before it in its piece."""
        index, start = self._tape.find(place)
        found = None
        for piece in self._tape.walk(index):
            for entry in piece.entries:
                if found is None or start + entry.offset <= place:
                    found = entry.id
            return found
        return None

    def around(self, place: int, num: int) -> list[int]:
        """The ids of the record at or before a place and of at most `num` on either side of it, nearest first."""
        index, _ = self._tape.find(place)
        pieces = self._tape.walk(max(index - num, 0))
        before: deque[int] = deque(maxlen=num + 1)
        behind: list[int] = []
        start: int | None = None
        for piece in pieces:
            start = self._tape.sums_before(piece)[0] if start is None else start
            for entry in piece.entries:
                (before if start + entry.offset <= place else behind).append(entry.id)
            if len(behind) >= num:
                break
            start += piece.length
        both = zip_longest(reversed(before), behind[:num])
        return [id for ids in both for id in ids if id is not None]

    def line_and_column(self, place: int) -> tuple[int, int]:
        """The line of a place, from 0, and the code points before it on that line."""
        index, start = self._tape.find(place)
        line = 0
        for piece in self._tape.walk(index):
            line = self._tape.sums_before(piece)[1]
            break
        for match in BREAK.finditer(self.text, start, place + 1):
            if match.end() <= place:
                line, start = line + 1, match.end()
        begin = max(self.text.rfind("\n", 0, place), self.text.rfind("\r", 0, place)) + 1
        return line, place - begin

    def place(self, line: int, column: int) -> int:
        """The code point at a line and column, both from 0; beyond the end of a line, its end."""
        _, start, before = self._tape.find_line(line)
        for match in BREAK.finditer(self.text, start):
            if before == line:
                return min(start + column, match.start())
            before, start = before + 1, match.end()
        if before != line:
            raise SaliscopeError("bad_request", f"line {line} is beyond the end: the document has {before + 1} lines")
        return min(start + column, len(self.text))

    def change(self, base: int, version: int, edits: Sequence[Edit]) -> Changes:
        """Apply `edits`, each in the positions that those before it leave, to version `base`; all of them or none.

        Another base than the store's version, a version that is no newer, a range outside the text or a text that grows
        over the limits is refused, and the error asks to open the document again (`resync`).
        """
        if base != self.version or version <= base:
            raise resync(f"the change is from version {base} to {version}, the document is at version {self.version}")
        check_edits(edits, len(self.text))
        # A document of one piece is read as a whole anyway.
        most = _TOGETHER if len(self._tape) > 1 else inf
        breaks = self._tape.breaks
        made: list[tuple[Edit, tuple[Edit, ...]]] = []
        for edit, before, text, parts in runs(self.text, edits, most):
            breaks += _breaks_around(text, edit.start, len(edit.text))
            breaks -= _breaks_around(before, edit.start, edit.end - edit.start)
            self._check(text, breaks, edit)
            made.append((edit, parts))
        swap = Swap(self._entries, self._duplicates, self._ids)
        for edit, parts in made:
            self._apply(edit, parts, edit.applied(self.text), swap)
        self.version = version
        return swap.changes(version, lambda id: self[id].start)

    def _check(self, text: str, breaks: int, edit: Edit) -> None:
        try:
            check_beginning(text)
            check_size(len(text), breaks, self.format.name)
            check_lines(text, edit.start, edit.start + len(edit.text))
        except SaliscopeError as error:
            raise resync(error.message, error.code) from error

    def _apply(self, edit: Edit, parts: Sequence[Edit], text: str, swap: Swap) -> None:
        """Make an edit that stands for its `parts`."""
        context = self.format.context(text, self.names)
        first, start = self._tape.find(edit.start)
        if context != self._context:
            first = 0
            self._context = context
            edit = Edit(0, len(self.text), text)
        elif first:
            first -= 1
        old = self._tape.walk(first)
        start = self._tape.sums_before(next(self._tape.walk(first)))[0] if len(self._tape) else 0
        pieces, replaced = self._cut(text, start, _Behind(edit, start, old))
        swap.detach(replaced)
        self._tape.replace(first, first + len(replaced), pieces)
        self.text = text
        swap.attach(replaced, pieces)
        swap.watch(parts, start, replaced, pieces)

    def _cut(self, text: str, start: int, behind: _Behind | None) -> tuple[list[Piece], list[Piece]]:
        """The pieces from `start` on until one ends where an old one behind the edit did; and those they replace."""
        pieces = []
        while start < len(text):
            end = self.format.cut(text, start, self._context)
            source = text[start:end]
            piece = Piece(len(source), _breaks(source))
            for offset, record in self.format.parse(source, start == 0, self._context):
                piece.entries.append(Entry(-1, offset, record, piece))
            pieces.append(piece)
            start = end
            if behind is not None and behind.meets(start):
                return pieces, behind.passed
        return pieces, [] if behind is None else behind.all()

    def _located(self, entry: Entry, start: int) -> Located:
        findings = entry.record.findings
        if entry.record.explained and self._duplicates.has(entry.record.key):
            again = Finding("duplicate", "another record has the same text", (0, entry.record.length))
            findings = (*findings, again)
        return Located(entry.id, start, entry.record, findings)


class _Behind:
    """The old pieces from a place on, watched for one that ends behind the edit where a new one does."""

    def __init__(self, edit: Edit, start: int, pieces: Iterator[Piece]) -> None:
        self.passed: list[Piece] = []
        self._edit = edit
        self._end = start
        self._pieces = pieces

    def meets(self, place: int) -> bool:
        """Whether an old piece that reached behind the edit ended at `place` of the new text."""
        was = place - self._edit.shift
        while self._end < was or self._end <= self._edit.end:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self.passed.append(piece)
            self._end += piece.length
        return self._end == was

    def all(self) -> list[Piece]:
        """Every old piece to the end."""
        self.passed += self._pieces
        return self.passed


def _breaks(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _breaks_around(text: str, start: int, length: int) -> int:
    return _breaks(text[max(start - 1, 0) : start + length + 1])
