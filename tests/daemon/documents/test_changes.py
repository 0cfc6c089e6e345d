from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliscope.daemon.front.documents import limits
from saliscope.daemon.front.documents.format import Format
from saliscope.daemon.front.documents.formats import find_format
from saliscope.daemon.front.documents.record import Placed
from saliscope.daemon.front.documents.runs import runs
from saliscope.daemon.front.documents.store import Changes, Store
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError

LINES = "one\ntwo\nthree\nfour\n"


def store(text: str = LINES, format: str = "lines") -> Store:
    return Store(text, find_format(format))


def edited(one: Store, start: int, end: int, text: str) -> Changes:
    return one.change(one.version, one.version + 1, [Edit(start, end, text)])


def ids(one: Store) -> dict[str, int]:
    return {located.record.fields[0].text: located.id for located in one}


def test_a_change_tells_the_record_and_the_others_keep_their_ids_and_move() -> None:
    one = store()
    before = ids(one)
    assert edited(one, 4, 7, "twenty-two") == Changes(1, changed=(before["two"],))
    assert ids(one) == {"one": 0, "twenty-two": 1, "three": 2, "four": 3}
    assert [located.start for located in one] == [0, 4, 15, 21]
    assert one[3].start == 21


def test_a_split_line_keeps_its_id_in_the_first_part() -> None:
    one = store()
    assert edited(one, 5, 5, "\n") == Changes(1, changed=(1,), added=(4,))
    assert edited(one, 5, 6, "") == Changes(2, changed=(1,), removed=(4,))
    assert one.text == LINES


def test_moved_records_keep_their_ids() -> None:
    one = store()
    gone_and_back = one.change(0, 1, [Edit(0, 4, ""), Edit(4, 4, "one\n")])
    assert gone_and_back == Changes(1, moved=((0, 4),))
    # They swap places, which no edit by itself would tell.
    assert edited(one, 0, 8, "one\ntwo\n") == Changes(2, moved=((0, 0), (1, 4)))
    assert edited(one, 0, 0, "\n") == Changes(3)


def test_the_same_text_spelled_otherwise_is_touched_and_not_changed() -> None:
    one = store('{"text": "A"}\n{"text": "b"}', "jsonl")
    assert edited(one, 10, 11, "\\u0041") == Changes(1, touched=(0,))
    assert edited(one, 0, 1, '{"label": 1, ') == Changes(2, touched=(0,))


def test_a_duplicate_that_comes_and_goes_touches_the_other_one() -> None:
    one = store("a\nb\nc\n")
    assert edited(one, 4, 5, "a") == Changes(1, changed=(2,), touched=(0,))
    assert [[finding.kind for finding in located.findings] for located in one] == [["duplicate"], [], ["duplicate"]]
    assert edited(one, 4, 6, "") == Changes(2, removed=(2,), touched=(0,))


def test_another_header_changes_every_row() -> None:
    one = store("text,label\na,x\nb,y\n", "csv")
    changes = edited(one, 0, 4, "nothing")
    assert changes.changed == (0, 1)
    assert all(not located.record.explained for located in one)


def counting(format: Format, parsed: list[str]) -> Format:
    """The format, which notes the pieces that are parsed."""

    def parse(piece: str, first: bool, context: object) -> list[Placed]:
        parsed.append(piece)
        return format.parse(piece, first, context)

    return replace(format, parse=parse)


def test_only_touched_pieces_are_parsed_again() -> None:
    parsed: list[str] = []
    for name, line in (("jsonl", '{"text": "%d"}\n'), ("csv", '"%d",x\n'), ("lines", "%d\n"), ("paragraphs", "%d\n\n")):
        text = "text,label\n" if name == "csv" else ""
        one = Store(text + "".join(line % number for number in range(1000)), counting(find_format(name), parsed))
        parsed.clear()
        edited(one, one.text.index("500"), one.text.index("500") + 1, "7")
        assert len(parsed) <= 3


@pytest.mark.parametrize("order", [1, -1], ids=["from the beginning", "from the end"])
@pytest.mark.parametrize("format", ["jsonl", "json", "yaml", "markdown"])
def test_thousands_of_edits_in_one_change_read_each_piece_a_few_times(format: str, order: int) -> None:
    """As an editor replaces a word everywhere."""
    line = {"jsonl": '{"text": "%d a"}\n', "yaml": "- %d is a\n", "markdown": "# %d a\n"}.get(
        format, '{"text": "%d a"},\n'
    )
    text = "".join(line % number for number in range(2000))
    if format == "json":
        text = f"[{text[:-2]}]"
    parsed: list[str] = []
    one = Store(text, counting(find_format(format), parsed))
    parsed.clear()
    places = [place for place, char in enumerate(text) if char == "a"]
    shifts = [number if order == 1 else 0 for number in range(len(places))]
    edits = [Edit(at + by, at + by + 1, "an") for at, by in zip(places[::order], shifts, strict=True)]
    assert len(one.change(0, 1, edits).changed) == 2000
    assert one.text == text.replace("a", "an")
    assert sum(map(len, parsed)) < 2 * len(text)
    assert [located[1:] for located in one] == [located[1:] for located in store(one.text, format)]


def test_records_keep_their_ids_where_edits_are_made_at_once() -> None:
    one = store("one\ntwo\nthree\n")
    changes = one.change(0, 1, [Edit(8, 13, "drei"), Edit(0, 0, "null\n")])
    assert changes == Changes(1, changed=(2,), added=(3,))
    assert ids(one) == {"null": 3, "one": 0, "two": 1, "drei": 2}


@given(st.data(), st.integers(0, 30))
def test_edits_that_are_made_at_once_make_the_same_text(data: st.DataObject, most: int) -> None:
    text = start = data.draw(st.text("ab", max_size=40))
    edits = []
    for _ in range(data.draw(st.integers(0, 8))):
        begin = data.draw(st.integers(0, len(text)))
        edits.append(Edit(begin, data.draw(st.integers(begin, len(text))), data.draw(st.text("cd", max_size=9))))
        text = edits[-1].applied(text)
    made = list(runs(start, edits, most))
    for run in made:
        assert (run.before, run.edit.applied(run.before)) == (start, run.text)
        assert run.width <= most or run.edit in edits
        start = run.text
    assert start == text


@pytest.mark.parametrize(
    ("base", "version", "edits", "code", "reason"),
    [
        (1, 2, [Edit(0, 0, "x")], "bad_request", "the document is at version 0"),
        (0, 0, [Edit(0, 0, "x")], "bad_request", "from version 0 to 0"),
        (0, 1, [Edit(0, 0, "x"), Edit(0, 99, "")], "bad_request", r"edits\[1\]: the range 0 to 99"),
        (0, 1, [Edit(3, 2, "")], "bad_request", "the range 3 to 2"),
        (0, 1, [Edit(0, 0, "a" * (limits.MOST_OF_A_LINE + 1))], "too_large", "a line has"),
        (0, 1, [Edit(0, 0, "\n" * limits.MOST_LINES)], "too_large", "200,005 lines"),
        (0, 1, [Edit(0, 0, "\0" * 100)], "bad_request", "this is no text"),
    ],
)
def test_a_refused_change_changes_nothing_and_asks_for_the_whole_text(
    base: int, version: int, edits: list[Edit], code: str, reason: str
) -> None:
    one = store()
    before = list(one)
    with pytest.raises(SaliscopeError, match=reason) as caught:
        one.change(base, version, edits)
    assert caught.value.code == code
    assert caught.value.data == {"resync": True}
    assert (one.text, one.version, list(one)) == (LINES, 0, before)


def test_a_place_has_a_record_and_a_line() -> None:
    one = store()
    assert [one.near(place) for place in (0, 3, 4, 9, len(LINES))] == [0, 0, 1, 2, 3]
    assert one.line_and_column(9) == (2, 1)
    assert one.place(2, 1) == 9
    assert one.place(2, 99) == 13
    with pytest.raises(SaliscopeError, match="line 9 is beyond the end"):
        one.place(9, 0)
    assert store("").near(0) is None


@pytest.mark.parametrize("format", ["lines", "text", "json"])
def test_around_a_place_are_the_nearest_records_on_both_sides(format: str) -> None:
    words = [f"word {n}" for n in range(50)]
    text = str(words).replace("'", '"') if format == "json" else "\n".join(words)
    one = store(text, format)
    starts = [located.start for located in one]
    for place in range(0, len(text) + 1, 7):
        here = max((n for n, start in enumerate(starts) if start <= place), default=-1)
        both = [here, *(n for step in range(1, 4) for n in (here + step, here - step))]
        found = one.around(place, 3)
        assert set(found) == {n for n in both if 0 <= n < len(starts)}
        assert not found or found[0] == one.near(place)


def test_around_a_place_of_an_empty_document_is_nothing() -> None:
    assert store("").around(0, 3) == []
