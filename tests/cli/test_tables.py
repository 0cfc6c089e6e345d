"""Columns, wrapped text, numbers for people."""

from __future__ import annotations

from saliscope.cli.status import duration, size
from saliscope.cli.tables import columns, wrapped
from saliscope.render.ansi import style


def test_columns_line_up_with_wide_characters_and_styles() -> None:
    rows = [["面白", "1", "x"], [style("a", "1", "16"), "22", "y"]]
    assert columns(rows, 40, right=frozenset({1})) == ["面白   1  x", "\x1b[1ma\x1b[0m     22  y"]


def test_a_long_last_cell_goes_on_below_itself() -> None:
    assert columns([["a", "one two three four five"]], 20) == ["a  one two three", "   four five"]
    assert columns([], 20) == []


def test_wrapped_text_keeps_its_room() -> None:
    assert wrapped("one two three", 8, "  ") == ["one two", "  three"]
    assert wrapped("", 8) == []


def test_numbers_for_people() -> None:
    assert [size(n) for n in (5, 1500, 13_600_000, 402_000_000, 5e12)] == [
        "5 B",
        "1.5 kB",
        "13.6 MB",
        "402 MB",
        "5000 GB",
    ]
    assert [duration(s) for s in (5, 75, 7260, 90000)] == ["5 s", "1 min 15 s", "2 h 1 min", "1 d 1 h"]
