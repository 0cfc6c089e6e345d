"""A document's pieces in order: found by place in microseconds, replaced without renumbering what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from saliscope.daemon.front.documents.record import Record

_BLOCK: Final = 512


class Entry:
    """A record with its id, `offset` from the start of its piece."""

    __slots__ = ("id", "offset", "piece", "record")

    def __init__(self, id: int, offset: int, record: Record, piece: Piece) -> None:
        self.id = id
        self.offset = offset
        self.record = record
        self.piece = piece


class Piece:
    """`length` code points of the source with `breaks` line breaks, and the records in them."""

    __slots__ = ("breaks", "entries", "home", "length")

    def __init__(self, length: int, breaks: int) -> None:
        self.length = length
        self.breaks = breaks
        self.entries: list[Entry] = []
        self.home: _Block | None = None


class _Block:
    """Some neighbouring pieces, and the sums over them."""

    __slots__ = ("breaks", "length", "pieces")

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces
        self.length = sum(piece.length for piece in pieces)
        self.breaks = sum(piece.breaks for piece in pieces)
        for piece in pieces:
            piece.home = self


class Tape:
    """The pieces of a document, which tile its text."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._blocks = _blocks(pieces)

    @property
    def length(self) -> int:
        """Code points of all pieces."""
        return sum(block.length for block in self._blocks)

    @property
    def breaks(self) -> int:
        """Line breaks of all pieces."""
        return sum(block.breaks for block in self._blocks)

    def __len__(self) -> int:
        return sum(len(block.pieces) for block in self._blocks)

    def __iter__(self) -> Iterator[Piece]:
        return self.walk(0)

    def walk(self, index: int) -> Iterator[Piece]:
        """The pieces from number `index` on."""
        for block in self._blocks:
            if index < len(block.pieces):
                yield from block.pieces[index:]
            index = max(index - len(block.pieces), 0)

    def find(self, place: int) -> tuple[int, int]:
        """Number and start of the piece that holds a place; the last one for the end, (0, 0) without any."""
        index = start = 0
        for number, block in enumerate(self._blocks):
            if place < start + block.length or number == len(self._blocks) - 1:
                for piece in block.pieces[:-1]:
                    if place < start + piece.length:
                        break
                    index, start = index + 1, start + piece.length
                break
            index, start = index + len(block.pieces), start + block.length
        return index, start

    def find_line(self, line: int) -> tuple[int, int, int]:
        """Number, start and first line of the piece that holds the beginning of a line."""
        index = start = before = 0
        for block in self._blocks:
            if line <= before + block.breaks:
                for piece in block.pieces:
                    if line <= before + piece.breaks:
                        return index, start, before
                    index, start, before = index + 1, start + piece.length, before + piece.breaks
            index, start, before = index + len(block.pieces), start + block.length, before + block.breaks
        return index, start, before

    def sums_before(self, piece: Piece) -> tuple[int, int]:
        """Code points and line breaks of all that stands before a piece."""
        length = breaks = 0
        for block in self._blocks:
            if block is piece.home:
                break
            length, breaks = length + block.length, breaks + block.breaks
        assert piece.home is not None
        for other in piece.home.pieces:
            if other is piece:
                break
            length, breaks = length + other.length, breaks + other.breaks
        return length, breaks

    def replace(self, first: int, last: int, pieces: Sequence[Piece]) -> None:
        """Put `pieces` where numbers `first` to `last` (exclusive) are."""
        begin, at = self._block_of(first)
        end, until = self._block_of(last)
        head = self._blocks[begin].pieces[:at] if begin < len(self._blocks) else []
        tail = self._blocks[end].pieces[until:] if end < len(self._blocks) else []
        self._blocks[begin : end + 1] = _blocks([*head, *pieces, *tail])

    def _block_of(self, index: int) -> tuple[int, int]:
        for number, block in enumerate(self._blocks):
            if index < len(block.pieces):
                return number, index
            index -= len(block.pieces)
        return len(self._blocks), 0


def _blocks(pieces: Sequence[Piece]) -> list[_Block]:
    if len(pieces) <= 2 * _BLOCK:
        return [_Block(list(pieces))] if pieces else []
    return [_Block(list(pieces[at : at + _BLOCK])) for at in range(0, len(pieces), _BLOCK)]
