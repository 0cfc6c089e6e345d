"""Lines and columns, in all three units."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from saliscope.lsp.positions import Encoding, Lines, difference
from saliscope.protocol.edits import Edit

TEXT = "a😀é b\r\nüber\u2028x\n"
ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 8), ("utf-16", 5), ("utf-32", 4)])
def test_a_column_counts_the_units_that_were_agreed_on(encoding: Encoding, column: int) -> None:
    lines = Lines(TEXT, encoding)
    assert lines.position(4) == types.Position(0, column)
    assert lines.offset(types.Position(0, column)) == 4


def test_a_line_ends_only_where_the_protocol_says() -> None:
    lines = Lines("a\u2028b\x0cc\x85d\re\r\nf\n")
    texts = [lines.text[slice(*lines.line(number))] for number in range(len(lines))]
    assert texts == ["a\u2028b\x0cc\x85d", "e", "f", ""]


def test_a_position_behind_its_line_is_the_end_and_one_inside_a_character_its_start() -> None:
    lines = Lines(TEXT, "utf-16")
    assert lines.offset(types.Position(0, 999)) == 5
    assert lines.offset(types.Position(99, 0)) == len(TEXT)
    assert lines.offset(types.Position(0, 2)) == 1
    assert Lines(TEXT, "utf-8").offset(types.Position(0, 3)) == 1


def test_a_range_that_ends_before_it_starts_is_empty() -> None:
    assert Lines("abc").span(types.Range(types.Position(0, 2), types.Position(0, 1))) == (2, 2)


def test_half_a_surrogate_pair_is_replaced_and_moves_nothing() -> None:
    for encoding in ENCODINGS:
        assert Lines("a\ud83db", encoding).text == "a\ufffdb"
    assert Lines("a\ud83db", "utf-16").position(2) == types.Position(0, 2)


@given(st.text(), st.text())
def test_a_whole_new_text_is_one_edit_of_what_is_other(old: str, new: str) -> None:
    assert difference(old, new).applied(old) == new


def test_a_whole_new_text_leaves_what_is_the_same() -> None:
    assert difference("one two three", "one 2 three") == Edit(4, 7, "2")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_after_any_edits_lines_are_those_of_the_text_and_positions_go_both_ways(encoding: Encoding) -> None:
    chance = random.Random(encoding)
    for _ in range(300):
        lines = Lines("".join(chance.choices("a\r\n\r\né😀\u2028", k=10)), encoding)
        for _ in range(5):
            start = chance.randrange(len(lines.text) + 1)
            end = chance.randrange(start, len(lines.text) + 1)
            lines.edit(Edit(start, end, "".join(chance.choices("b\r\n😀", k=chance.randrange(4)))))
            fresh = Lines(lines.text, encoding)
            assert [lines.line(n) for n in range(len(lines))] == [fresh.line(n) for n in range(len(fresh))]
            for offset in range(len(lines.text) + 1):
                if lines.text[offset - 1 : offset + 1] != "\r\n":
                    assert lines.offset(lines.position(offset)) == offset
