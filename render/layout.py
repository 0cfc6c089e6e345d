"""Segments laid out in lines of cells, for renderers that place text themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from saliscope.render.graphemes import cells, graphemes
from saliscope.render.painting import Segment

TAB_STOP: Final = 4


class Run(NamedTuple):
    """A stretch of one segment on one line: its text, first cell and number of cells.

    All graphemes of a run fill the same number of cells, so it can be stretched to its place.
    """

    text: str
    column: int
    cells: int
    segment: Segment


class _Piece(NamedTuple):
    text: str
    cells: int
    segment: Segment


def lines(segments: Sequence[Segment], columns: int) -> list[list[Run]]:
    """The segments wrapped to `columns` cells, at spaces where there are some, else between graphemes.

    Spaces at a wrapped end hang over the edge; a newline of the text ends a line; tabs become spaces.
    """
    return [_runs(line) for paragraph in _paragraphs(segments) for line in _wrap(paragraph, max(2, columns))]


def _paragraphs(segments: Iterable[Segment]) -> Iterator[list[_Piece]]:
    """The graphemes of each line of the source."""
    pieces: list[_Piece] = []
    column = 0
    for segment in segments:
        for start, end in graphemes(segment.text):
            text = segment.text[start:end]
            if text == "\n":
                yield pieces
                pieces, column = [], 0
                continue
            if text == "\t":
                text = " " * (TAB_STOP - column % TAB_STOP)
            size = len(text) if text.isspace() and text.isascii() else cells(text)
            pieces.append(_Piece(text, size, segment))
            column += size
    yield pieces


def _wrap(pieces: list[_Piece], columns: int) -> Iterator[list[_Piece]]:
    line: list[_Piece] = []
    used, last_break = 0, 0
    for piece in pieces:
        is_space = piece.text.isspace()
        if used + piece.cells > columns and not is_space and line:
            at = last_break or len(line)
            yield line[:at]
            line = line[at:]
            used, last_break = sum(rest.cells for rest in line), 0
        line.append(piece)
        used += piece.cells
        if is_space or piece.cells == 2:
            last_break = len(line)
    yield line


def _runs(pieces: list[_Piece]) -> list[Run]:
    """Neighbours of one segment and one width, joined."""
    runs: list[Run] = []
    column, size = 0, -1
    for piece in pieces:
        each = 1 if piece.text.isspace() else piece.cells
        if runs and runs[-1].segment is piece.segment and size == each:
            last = runs[-1]
            runs[-1] = last._replace(text=last.text + piece.text, cells=last.cells + piece.cells)
        else:
            runs.append(Run(piece.text, column, piece.cells, piece.segment))
        column, size = column + piece.cells, each
    return runs
