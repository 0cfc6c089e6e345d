"""CSV and TSV: each row under the header is a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saliscope.daemon.front.documents.csv_cells import Row, find_delimiter, scan_row
from saliscope.daemon.front.documents.lines import BOM, broken
from saliscope.daemon.front.documents.mapping import Span
from saliscope.daemon.front.documents.record import Finding, Placed, make_record
from saliscope.daemon.front.documents.shaping import Names, shape_fields

#: Code points of a table by which its header and its delimiter are found.
HEADER: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Header:
    """What rows depend on: how cells are divided, and what the columns are called."""

    delimiter: str
    columns: tuple[str, ...]
    names: Names


def read_header(text: str, names: Names) -> Header:
    """The header of a table whose delimiter shows in it."""
    head = text[:HEADER]
    return _header(head, find_delimiter(head, _begin(head)), names)


def read_tab_header(text: str, names: Names) -> Header:
    """The header of a table of tabs."""
    return _header(text[:HEADER], "\t", names)


def cut_row(text: str, start: int, header: Header) -> int:
    """The end of the row that begins at `start`; it may go over many lines."""
    begin = _begin(text) if start == 0 else start
    return scan_row(text, begin, header.delimiter).end


def parse_row(piece: str, first: bool, header: Header) -> list[Placed]:
    """One row as a record; the header and blank lines are none."""
    row = scan_row(piece, _begin(piece) if first else 0, header.delimiter)
    if first or not row.cells:
        return []
    span = (0, row.cells[-1].end)
    if row.unclosed is not None:
        return [broken(piece, span, "the quote that opens here never closes", row.unclosed)]
    fields, label, findings = shape_fields(zip(header.columns, row.cells, strict=False), span, header.names)
    return [make_record(piece, span, fields, findings + _ragged(row, header, span), label)]


def _ragged(row: Row, header: Header, span: Span) -> list[Finding]:
    has, wanted = len(row.cells), len(header.columns)
    if has == wanted:
        return []
    place = (row.cells[wanted].start, span[1]) if has > wanted else span
    return [Finding("ragged", f"the row has {has} cells, the header {wanted}", place)]


def _header(head: str, delimiter: str, names: Names) -> Header:
    cells = scan_row(head, _begin(head), delimiter).cells
    columns = tuple(cell.value for cell in cells)
    return Header(delimiter, columns, names)


def _begin(text: str) -> int:
    return 1 if text.startswith(BOM) else 0
