from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from saliscope.tui.places import Lines, edit_between

TEXTS = st.text(alphabet="ab\n👍é", max_size=30)


@given(TEXTS, TEXTS)
def test_the_edit_leads_from_one_text_to_the_other(old: str, new: str) -> None:
    edit = edit_between(old, new)
    assert (edit is None) == (old == new)
    if edit is not None:
        assert edit.applied(old) == new


def test_the_edit_is_only_what_changed() -> None:
    edit = edit_between("a dull film", "a dull, long film")
    assert edit is not None
    assert (edit.start, edit.end, edit.text) == (6, 6, ", long")


@given(st.lists(st.text(alphabet="ab👍", max_size=5), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_every_place_in_a_line_comes_back(lines: list[str], newline: str) -> None:
    places = Lines(lines, newline)
    for row, line in enumerate(lines):
        for column in range(len(line) + 1):
            offset = places.offset(row, column)
            assert places.location(offset) == (row, column)
            assert newline.join(lines)[offset : offset + 1] == (line + newline)[column : column + 1] or row + 1 == len(
                lines
            )
