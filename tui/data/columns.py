"""How wide the columns of the table are; the text takes what is left."""

from __future__ import annotations

from typing import NamedTuple


class Columns(NamedTuple):
    """Cells a column, with the space behind; 0 for one that is not shown."""

    number: int
    predicted: int
    bar: int
    share: int
    label: int
    findings: int


def columns_of(width: int, num_rows: int) -> Columns:
    """The columns of a table of a width with so many rows: the narrower, the fewer, so that texts have half of it.

    What is not shown stands beside the table, for the row at the cursor.
    """
    number = max(3, len(f"{max(num_rows - 1, 0):,}"))
    if width >= 108:
        return Columns(number, 12, 6, 8, 12, 12)
    if width >= 84:
        return Columns(number, 11, 6, 8, 11, 0)
    if width >= 50:
        return Columns(number, 11, 0, 7, 11, 0)
    return Columns(number, 10, 0, 0, 0, 0)
