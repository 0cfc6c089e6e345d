"""Semantic tokens: encoded once per record, put together for a document, a range, or the difference to before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, NamedTuple

from lsprotocol import types

from saliscope.lsp.painting import TYPES, Stroke, pieces, strokes
from saliscope.lsp.positions import Lines
from saliscope.protocol.live import LiveRecord

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
    """A block and how it begins behind the one before it: two numbers, lines and columns."""

    step: tuple[int, int]
    block: Block

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return _WIDTH + len(self.block.body)


@dataclass
class Encoder:
    """The blocks of one document, and what its client was given last."""

    top_k: int = 3
    _blocks: dict[int, Block | None] = field(default_factory=dict)
    _given: list[Placed] = field(default_factory=list)
    _given_as: str | None = None
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def forget(self, ids: Iterable[int] | None) -> None:
        """Encode these records anew (None: all)."""
        if ids is None:
            self._blocks.clear()
        else:
            for id in ids:
                self._blocks.pop(id, None)

    def full(self, records: Sequence[LiveRecord], lines: Lines) -> types.SemanticTokens:
        """All tokens, remembered for the next difference."""
        self._given, self._given_as = self._place(records, lines), str(next(self._numbers))
        return types.SemanticTokens(data=_flat(self._given), result_id=self._given_as)

    def range(self, records: Sequence[LiveRecord], lines: Lines, span: tuple[int, int]) -> types.SemanticTokens:
        """The tokens of the records that touch a span."""
        near = [record for record in records if record.start <= span[1] and record.end >= span[0]]
        return types.SemanticTokens(data=_flat(self._place(near, lines)))

    def delta(
        self, records: Sequence[LiveRecord], lines: Lines, previous: str
    ) -> types.SemanticTokens | types.SemanticTokensDelta:
        """What is other than in the result `previous`: one edit; everything if that is not the last one."""
        if previous != self._given_as:
            return self.full(records, lines)
        old, new = self._given, self._place(records, lines)
        shared = min(len(old), len(new))
        head = next((at for at in range(shared) if old[at] != new[at]), shared)
        rest = shared - head
        tail = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
        start = sum(placed.size for placed in old[:head])
        gone = sum(placed.size for placed in old[head : len(old) - tail])
        data = _flat(new[head : len(new) - tail])
        self._given, self._given_as = new, str(next(self._numbers))
        edits = [types.SemanticTokensEdit(start=start, delete_count=gone, data=data)] if gone or data else []
        return types.SemanticTokensDelta(edits=edits, result_id=self._given_as)

    def _place(self, records: Sequence[LiveRecord], lines: Lines) -> list[Placed]:
        placed = []
        line = column = 0
        blocks = self._blocks
        for record in records:
            block = blocks[record.id] if record.id in blocks else self._block(record, lines)
            if block is None:
                continue
            at, begin = lines.place(record.start)
            row, col = _absolute(at, begin, block.first)
            placed.append(Placed((row - line, col - column if row == line else col), block))
            line, column = _absolute(at, begin, block.last)
        return placed

    def _block(self, record: LiveRecord, lines: Lines) -> Block | None:
        drawn = strokes(pieces(record, lines.text), lines)
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
