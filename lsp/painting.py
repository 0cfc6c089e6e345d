"""What of a record is coloured, and how strongly: its features with their scores, where they stand in the text now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from saliscope.lsp.positions import Lines
from saliscope.protocol.documents import Span
from saliscope.protocol.explanation import Explanation
from saliscope.protocol.live import LiveRecord
from saliscope.render import bucket, peak_of

#: The bucket of a score -> the type of its semantic token.
TYPES: Final[Mapping[int, str]] = {
    1: "salPos1", 2: "salPos2", 3: "salPos3", -1: "salNeg1", -2: "salNeg2", -3: "salNeg3",
}  # fmt: skip


class Piece(NamedTuple):
    """A scored stretch of the document; `number` is the index of the feature, `rank` counts from 1 by magnitude."""

    start: int
    end: int
    number: int
    score: float
    bucket: int
    rank: int


class Stroke(NamedTuple):
    """A piece, or its part on one line, in the client's units."""

    line: int
    column: int
    length: int
    piece: Piece


def pieces(record: LiveRecord, text: str, *, coloured: bool = False) -> list[Piece]:
    """The scored features of a record that still stand in the text, in order of place, without outer spaces.

    With `coloured` only those that have a colour.
    """
    explanation = record.explanation
    if explanation is None:
        return []
    peak, ranks, at = peak_of(explanation.scores), rank(explanation), record.start
    found = []
    for index, (span, score) in enumerate(zip(record.places.features, explanation.scores, strict=True)):
        if span is None:
            continue
        strength = bucket(score, peak)
        if coloured and not strength:
            continue
        start, end = trimmed(text, at + span[0], at + span[1])
        if start < end:
            found.append(Piece(start, end, index, score, strength, ranks[index]))
    return sorted(found)


def rank(explanation: Explanation) -> list[int]:
    """The place of each feature by magnitude of its score, from 1."""
    order = sorted(range(len(explanation.scores)), key=list(map(abs, explanation.scores)).__getitem__, reverse=True)
    places = [0] * len(order)
    for place, index in enumerate(order, 1):
        places[index] = place
    return places


def strokes(found: list[Piece], lines: Lines) -> list[Stroke]:
    """The coloured pieces cut at line ends, in order, without overlaps."""
    drawn: list[Stroke] = []
    reached, plain = 0, lines.is_plain
    # The line that is drawn on, from its first place to its last; a place on it, and the column of that.
    number, first, last = -1, 0, -1
    at = column = 0
    for piece in found:
        start, end = max(piece.start, reached), piece.end
        if piece.bucket == 0 or start >= end:
            continue
        reached = end
        while start < end:
            if not first <= start <= last:
                number = lines.line_of(start)
                first, last = lines.line(number)
                at, column = first, 0
            stop = min(end, last)
            if start < stop:
                column += start - at if plain else lines.units(at, start)
                length = stop - start if plain else lines.units(start, stop)
                drawn.append(Stroke(number, column, length, piece))
                at, column = stop, column + length
            # What was told of an older text may reach behind the one of now.
            start = lines.line(number + 1)[0] if stop < end and number + 1 < len(lines) else end
    return drawn


def piece_at(record: LiveRecord, text: str, offset: int) -> Piece | None:
    """The scored piece at a code point; the place right behind one is its own unless the next begins there."""
    found = pieces(record, text)
    inside = next((piece for piece in found if piece.start <= offset < piece.end), None)
    return inside or next((piece for piece in found if piece.end == offset), None)


def trimmed(text: str, start: int, end: int) -> Span:
    """A span without the spaces at its edges."""
    piece = text[start:end]
    bare = piece.strip()
    if len(bare) == len(piece):
        return start, end
    before = len(piece) - len(piece.lstrip())
    return start + before, start + before + len(bare)
