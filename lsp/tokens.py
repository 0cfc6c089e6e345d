"""Semantic tokens: encoded once per record, put together for a document, a range, or the difference to before."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, NamedTuple

from lsprotocol import types

from saliscope.lsp.painting import TYPES, Stroke, pieces, strokes
from saliscope.lsp.plain import Plain
from saliscope.lsp.positions import Lines
from saliscope.protocol.live import LiveRecord, Order

MODIFIERS: Final = ("topk", "stale")
LEGEND: Final = types.SemanticTokensLegend(token_types=list(TYPES.values()), token_modifiers=list(MODIFIERS))
_NUMBERS: Final = {bucket: number for number, bucket in enumerate(TYPES)}
_WIDTH: Final = 5


class Block(NamedTuple):
    """The tokens of one record. Places count from the record's start, so that it can move as it is.

    `first` and `last` are the places of the first and last token, `head` is the first one's length, type and modifiers,
    `body` the others as the protocol has them: each relative to the one before.
    """

    first: tuple[int, int]
    last: tuple[int, int]
    head: tuple[int, int, int]
    body: tuple[int, ...]


class Placed(NamedTuple):
    """The block of a record, and how it begins behind the one before it: two numbers, lines and columns."""

    record: LiveRecord
    step: tuple[int, int]
    block: Block

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return _WIDTH + len(self.block.body)

    def looks_like(self, other: Placed) -> bool:
        """Whether the numbers are the same."""
        return self.step == other.step and self.block == other.block


@dataclass
class Encoder:
    """The blocks of one document, and what its client was given last."""

    top_k: int = 3
    _blocks: dict[int, Block | None] = field(default_factory=dict)
    _records: Order | None = None
    """Of which records the client was given tokens; None: of others, or all are to be encoded anew."""
    _given: list[Placed] = field(default_factory=list)
    _sizes: list[int] = field(default_factory=list)
    _given_as: str | None = None
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def forget(self, ids: Iterable[int] | None) -> None:
        """Encode these records anew (None: all)."""
        if ids is None:
            self._blocks.clear()
            self._records = None
        else:
            for id in ids:
                self._blocks.pop(id, None)

    def full(self, records: Order, lines: Lines) -> types.SemanticTokens:
        """All tokens, remembered for the next difference."""
        records.take_changed()
        self._remember(records, slice(0, len(self._given)), self._place(records, lines))
        return types.SemanticTokens(data=_flat(self._given), result_id=self._given_as)

    def range(self, records: Order, lines: Lines, span: tuple[int, int]) -> types.SemanticTokens:
        """The tokens of the records that touch a span."""
        return types.SemanticTokens(data=_flat(self._place(records.near(*span), lines)))

    def delta(self, records: Order, lines: Lines, previous: str) -> types.SemanticTokens | types.SemanticTokensDelta:
        """What is other than in the result `previous`: one edit; everything if that is not the last one."""
        if previous != self._given_as:
            return self.full(records, lines)
        changed = records.take_changed()
        if records is not self._records:
            part, new = slice(0, len(self._given)), self._place(records, lines)
        elif changed is None:
            part, new = slice(0, 0), []
        else:
            part, new = self._anew(records, lines, *records.window(*changed))
        old = self._given[part]
        shared = min(len(old), len(new))
        head = next((at for at in range(shared) if not old[at].looks_like(new[at])), shared)
        rest = shared - head
        tail = next((at for at in range(rest) if not old[-1 - at].looks_like(new[-1 - at])), rest)
        start = sum(self._sizes[: part.start + head])
        gone = sum(placed.size for placed in old[head : len(old) - tail])
        data = _flat(new[head : len(new) - tail])
        self._remember(records, part, new)
        edits = [types.SemanticTokensEdit(start=start, delete_count=gone, data=data)] if gone or data else []
        return types.SemanticTokensDelta(edits=edits, result_id=self._given_as)

    def _remember(self, records: Order, part: slice, new: list[Placed]) -> None:
        """The client is given `new` in the place of a part of what it has."""
        self._records, self._given_as = records, str(next(self._numbers))
        self._given[part] = new
        self._sizes[part] = [placed.size for placed in new]

    def _anew(self, records: Order, lines: Lines, first: int, behind: int) -> tuple[slice, list[Placed]]:
        """Which part of what the client has is of the records `first` to `behind`, and what takes its place.

        The first one drawn behind them is among them: it begins where they end.
        """
        before = next(
            (one for one in map(records.__getitem__, range(first - 1, -1, -1)) if self._known(one, lines)), None
        )
        after = next(
            (one for one in map(records.__getitem__, range(behind, len(records))) if self._known(one, lines)), None
        )
        begin = 0 if before is None else self._index(before) + 1
        end = begin
        while end < len(self._given) and self._given[end].record is not after:
            end += 1
        if after is not None:
            end += 1
        window = [*records[first:behind], *([] if after is None else [after])]
        return slice(begin, end), self._place(window, lines, before)

    def _index(self, record: LiveRecord) -> int:
        """Where the client was given a record in front of all changes: what stands there is in order of place."""
        at = bisect_left(self._given, record.start, key=lambda placed: placed.record.start)
        while self._given[at].record is not record:
            at += 1
        return at

    def _place(self, records: Iterable[LiveRecord], lines: Lines, before: LiveRecord | None = None) -> list[Placed]:
        """The blocks of records that follow each other, the first behind `before`."""
        placed = []
        line = column = 0
        if before is not None and (block := self._known(before, lines)) is not None:
            line, column = _absolute(*lines.place(before.start), block.last)
        for record in records:
            block = self._known(record, lines)
            if block is None:
                continue
            at, begin = lines.place(record.start)
            row, col = _absolute(at, begin, block.first)
            placed.append(Placed(record, (row - line, col - column if row == line else col), block))
            line, column = _absolute(at, begin, block.last)
        return placed

    def _known(self, record: LiveRecord, lines: Lines) -> Block | None:
        """The block of a record; None for one that is not drawn."""
        blocks = self._blocks
        return blocks[record.id] if record.id in blocks else self._block(record, lines)

    def _block(self, record: LiveRecord, lines: Lines) -> Block | None:
        drawn = strokes(pieces(record, lines.text, coloured=True), lines)
        found = self._encode(drawn, *lines.place(record.start), record.stale) if drawn else None
        self._blocks[record.id] = found
        return found

    def _encode(self, drawn: Sequence[Stroke], line: int, column: int, stale: bool) -> Block:
        flags = [(stroke.piece.rank <= self.top_k) + 2 * stale for stroke in drawn]
        body: list[int] = []
        for before, stroke, flag in zip(drawn, drawn[1:], flags[1:], strict=False):
            down = stroke.line - before.line
            body += (down, stroke.column if down else stroke.column - before.column, *_kind(stroke, flag))
        first, last = (
            (stroke.line - line, stroke.column - column if stroke.line == line else stroke.column)
            for stroke in (drawn[0], drawn[-1])
        )
        return Block(first, last, _kind(drawn[0], flags[0]), tuple(body))


def _kind(stroke: Stroke, flag: int) -> tuple[int, int, int]:
    return stroke.length, _NUMBERS[stroke.piece.bucket], flag


def _absolute(line: int, column: int, place: tuple[int, int]) -> tuple[int, int]:
    return line + place[0], place[1] if place[0] else column + place[1]


def _flat(placed: Iterable[Placed]) -> list[int]:
    data: list[int] = []
    for one in placed:
        data += one.step
        data += one.block.head
        data += one.block.body
    return data


def plain(found: types.SemanticTokens | types.SemanticTokensDelta | None) -> Plain:
    """Tokens, or what is other than before, as JSON; none for a document that has none."""
    if found is None:
        return Plain({"data": []})
    named = {} if found.result_id is None else {"resultId": found.result_id}
    if isinstance(found, types.SemanticTokens):
        return Plain({**named, "data": found.data})
    edits = [{"start": one.start, "deleteCount": one.delete_count, "data": one.data} for one in found.edits]
    return Plain({**named, "edits": edits})
