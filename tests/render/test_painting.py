from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from saliscope.render.buckets import bucket, meaning, peak_of
from saliscope.render.graphemes import graphemes
from saliscope.render.painting import Mark, Painting
from saliscope.render.text import visible

SCORES = st.one_of(st.none(), st.floats())


@st.composite
def paintings(draw: st.DrawFn) -> Painting:
    """Any text with any marks, also wrong ones: outside the text, overlapping, empty, not a number."""
    text = draw(
        st.text(st.one_of(st.characters(codec=None), st.sampled_from("ab \n\t\x1b<&é面👩\u200d🇩\u0301")), max_size=50)
    )
    size = len(text) + 2
    places = st.tuples(st.integers(-2, size), st.integers(-2, size), SCORES)
    marks = [Mark(*place) for place in draw(st.lists(places, max_size=8))]
    seen_to = draw(st.one_of(st.none(), st.integers(0, size)))
    return Painting(text, marks, signed=draw(st.booleans()), seen_to=seen_to)


@given(paintings())
def test_segments_cover_the_visible_text_in_order(painting: Painting) -> None:
    segments = painting.segments()
    assert "".join(segment.text for segment in segments) == visible(painting.text)
    assert all(a.end == b.start for a, b in itertools.pairwise(segments))


@given(paintings())
def test_segments_begin_at_graphemes(painting: Painting) -> None:
    starts = {start for start, _ in graphemes(visible(painting.text))}
    assert {segment.start for segment in painting.segments()} <= starts


def test_spaces_at_the_edge_of_a_mark_stay_plain() -> None:
    segments = Painting("a dull film", [Mark(1, 6, 1.0)]).segments()
    assert [(s.text, s.bucket) for s in segments] == [("a ", 0), ("dull", 3), (" film", 0)]


def test_a_mark_of_spaces_alone_is_shown() -> None:
    assert [(s.text, s.bucket) for s in Painting("a  b", [Mark(1, 3, -1.0)]).segments()] == [
        ("a", 0),
        ("  ", -3),
        ("b", 0),
    ]


def test_a_grapheme_shared_by_pieces_shows_the_strongest_of_them() -> None:
    family = "👩\u200d👩\u200d👧"
    pieces = [Mark(0, 1, 0.1), Mark(1, 3, -0.9), Mark(3, 5, 0.5)]
    assert [(s.text, s.score) for s in Painting(family, pieces).segments()] == [(family, -0.9)]


def test_text_that_was_not_read_is_a_segment_of_its_own() -> None:
    segments = Painting("read unread", [Mark(0, 4, 1.0)], seen_to=4).segments()
    assert [(s.text, s.seen) for s in segments] == [("read", True), (" unread", False)]


def test_buckets_are_shares_of_the_peak() -> None:
    assert [bucket(score, 1.0) for score in (0.05, 0.1, 0.34, 0.67, 1.0, -0.1, -0.5, -1.0)] == [
        0,
        1,
        2,
        3,
        3,
        -1,
        -2,
        -3,
    ]


def test_nothing_to_compare_with_is_neutral() -> None:
    assert bucket(1.0, 0.0) == bucket(None, 1.0) == bucket(float("nan"), 1.0) == bucket(float("inf"), 1.0) == 0
    assert peak_of([None, float("nan"), -2.0, 1.0]) == 2.0
    assert peak_of([]) == 0.0


def test_a_bucket_says_what_it_means() -> None:
    assert meaning(3) == "strong, supports the target"
    assert meaning(-1) == "weak, speaks against the target"
    assert meaning(2, signed=False) == "medium importance"
