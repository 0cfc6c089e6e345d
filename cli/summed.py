"""What the rows of a job say together, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from saliscope.cli.tables import columns
from saliscope.cli.terminal import Terminal
from saliscope.protocol.jobs import JobResults
from saliscope.render.text import one_line

#: Types of a class, and shortcuts, that are shown; --json has all.
SHOWN: Final = 12


def result_lines(found: JobResults, terminal: Terminal) -> list[str]:
    """Rows, failures, confusion, top types and their overlap, slices and shortcuts."""
    lines = [
        f"{found.out}: {found.rows:,} rows, {found.rows - found.failed:,} explained by {found.method} of {found.model}"
    ]
    if found.codes:
        lines.append(f"failed: {', '.join(f'{count:,} x {code}' for code, count in found.codes.items())}")
        lines += [f"  row {one.row}: {one_line(one.message)}" for one in found.failures[:3]]
    for title, rows in _tables(found):
        right = frozenset(range(1, len(rows[0])))
        head = [terminal.strong(cell) for cell in rows[0]]
        lines += ["", terminal.quiet(title), *columns([head, *rows[1:]], terminal.columns, right=right)]
    for label, types in found.top.items():
        words = "  ".join(one_line(one.text) for one in types[:SHOWN])
        lines += ["", terminal.quiet(f"speaks for {one_line(label)}"), f"  {words}" if words else "  nothing"]
    if found.shortcuts:
        lines += ["", terminal.quiet("may decide by themselves (strongest of their text, always the same prediction)")]
        shown = [
            (one_line(one.text), one_line(one.label), f"{one.texts:,} rows", f"{one.wrong:,} wrong")
            for one in found.shortcuts[:SHOWN]
        ]
        lines += columns(shown, terminal.columns, right=frozenset({2, 3}))
    if found.approximate:
        lines += ["", terminal.quiet("There were very many types: those in the fewest rows were left out.")]
    return lines


def _tables(found: JobResults) -> Iterator[tuple[str, list[list[str]]]]:
    if found.confusion:
        said = sorted({name for row in found.confusion.values() for name in row})
        rows = [
            [one_line(label), *(f"{row.get(name, 0):,}" for name in said)] for label, row in found.confusion.items()
        ]
        accuracy = "" if found.accuracy is None else f"; accuracy {found.accuracy:.3g}"
        yield f"label against prediction{accuracy}", [["label", *map(one_line, said)], *rows]
    pairs = [one for one in found.overlap if one.of]
    if pairs:
        title = f"of the {pairs[0].of} strongest types two classes share"
        yield title, [["classes", "shared"], *([one_line(" / ".join(one.classes)), str(one.shared)] for one in pairs)]
    if found.slices:
        head = ["slice", "rows", "failed", "accuracy", "probability", "strongest"]
        rows = [
            [one_line(f"{one.field} {one.value}"), f"{one.rows:,}", f"{one.failed:,}", *map(_number, (
                one.accuracy, one.probability, one.concentration))]
            for one in found.slices
        ]  # fmt: skip
        yield "slices", [head, *rows]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
