from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliscope.explainers.families import METHODS
from saliscope.render.graphemes import cells, cut, cut_inside, graphemes, pad, width
from saliscope.render.text import one_line, signed, visible

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


@given(ANY_TEXT)
def test_visible_text_keeps_its_length_and_holds_no_control(text: str) -> None:
    shown = visible(text)
    assert len(shown) == len(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") and c not in "\n\t"]
    assert visible(shown) == shown


def test_an_escape_shows_as_its_symbol() -> None:
    assert visible("\x1b[31mred\x07\x7f\x9b") == "␛[31mred␇␡�"


def test_direction_overrides_cannot_reorder_the_text() -> None:
    assert "\u202e" not in visible("user\u202egnp.exe")
    assert "\u2066" not in visible("\u2066x\u2069")


@pytest.mark.parametrize(
    ("text", "line"),
    [(" film", "film"), ("a\nb\tc", "a↵b⇥c"), ("   ", "␣"), ("", "∅"), ("\u200d", "U+200D"), ("e\u0301", "e\u0301")],
)
def test_one_line_shows_what_would_be_invisible(text: str, line: str) -> None:
    assert one_line(text) == line


@given(ANY_TEXT)
def test_graphemes_cover_the_text_in_order(text: str) -> None:
    spans = list(graphemes(text))
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)


@pytest.mark.parametrize(
    ("text", "count", "cell_count"),
    [
        ("abc", 3, 3),
        ("e\u0301a", 2, 2),
        ("👩\u200d👩\u200d👧\u200d👦", 1, 2),
        ("👍🏽", 1, 2),
        ("🇩🇪🇫🇷", 2, 4),
        ("❤️", 1, 2),
        ("面白い", 3, 6),
        ("한국", 2, 4),
        ("\u1112\u1161\u11ab", 1, 2),
        ("नि", 1, 1),
        ("1️⃣", 1, 1),
        ("a\n\u0301", 3, 1),
        ("🏴\U000e0067\U000e0062\U000e007f", 1, 2),
        ("\u200b", 1, 0),
    ],
)
def test_graphemes_and_cells_of_hard_cases(text: str, count: int, cell_count: int) -> None:
    assert len(list(graphemes(text))) == count
    assert sum(cells(text[a:b]) for a, b in graphemes(text) if text[a] != "\n") == cell_count


@given(ANY_TEXT, st.integers(0, 20))
def test_cut_fits_and_pad_fills(text: str, columns: int) -> None:
    shown = one_line(text)
    assert width(cut(shown, columns)) <= columns
    assert width(pad(shown, columns)) >= columns


def test_cut_never_splits_a_grapheme() -> None:
    assert cut("ab👩\u200d👩\u200d👧cd", 4) == "ab…"


@pytest.mark.parametrize(
    ("score", "peak", "text"),
    [
        (0.4123, None, "+0.412"),
        (-0.4123, 1.0, "-0.41"),
        (0.0, 1.0, "+0.00"),
        (12.34, None, "+12.3"),
        (1234.5, None, "+1234"),
        (0.0, None, "0"),
        (1.2e-9, None, "+1.20e-09"),
        (float("nan"), 1.0, "-"),
    ],
)
def test_scores_show_their_sign_and_three_places(score: float, peak: float | None, text: str) -> None:
    assert signed(score, peak) == text


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("decoded-grad-cam", 16, "decoded-grad-cam"),
        ("decoded-grad-cam", 9, "deco…-cam"),
        ("decoded-grad-cam", 8, "deco…cam"),
        ("日本語日本語日本語", 9, "日本…本語"),
        ("日本語日本語日本語", 8, "日本…語"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
    ],
)
def test_a_name_is_cut_in_its_middle(text: str, columns: int, shown: str) -> None:
    assert cut_inside(text, columns) == shown
    assert width(shown) <= columns


def test_no_two_methods_look_alike_where_a_chip_has_least_room() -> None:
    names = [method.name for method in METHODS]
    assert len({cut_inside(name, 8) for name in names}) == len(names)
