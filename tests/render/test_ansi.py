from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliscope.render.ansi import Depth, depth_of, legend, paint, strip, style, theme_of
from saliscope.render.bars import bar, percent, two_sided
from saliscope.render.painting import Mark, Painting
from saliscope.render.palettes import BLUE_ORANGE, MONO, PALETTES, Palette, Theme
from saliscope.render.text import visible

from .test_painting import paintings

DEPTHS = get_args(Depth)
FILM = Painting("a dull film", [Mark(2, 6, -1.0), Mark(7, 11, 0.5)])


@given(
    paintings(), st.sampled_from(DEPTHS), st.sampled_from(list(PALETTES.values())), st.sampled_from(["light", "dark"])
)
def test_without_its_escapes_the_painted_text_is_the_visible_text(
    painting: Painting, depth: Depth, palette: Palette, theme: Theme
) -> None:
    assert strip(paint(painting, palette, depth, theme)) == visible(painting.text)


@given(paintings())
def test_an_escape_of_the_text_never_reaches_the_terminal(painting: Painting) -> None:
    escapes = re.findall("\x1b.{0,1}", paint(painting, depth="256"))
    assert set(escapes) <= {"\x1b["}
    assert "\x1b" not in paint(painting, depth="plain")


def test_plain_output_has_no_escape() -> None:
    assert paint(FILM, depth="plain") == "a dull film"


def test_without_colours_bold_and_underline_carry_the_sign() -> None:
    assert paint(FILM, depth="styles") == "a \x1b[4mdull\x1b[0m \x1b[1mfilm\x1b[0m"
    assert "bold" in legend(BLUE_ORANGE, "styles")


def test_a_style_ends_before_a_newline() -> None:
    assert style("a\nb\n", "1", "16") == "\x1b[1ma\x1b[0m\n\x1b[1mb\x1b[0m\n"


def test_truecolor_and_256_name_ground_and_text() -> None:
    assert "38;2;" in paint(FILM)
    assert "48;2;" in paint(FILM)
    assert "38;5;" in paint(FILM, depth="256")
    assert "48;5;" in paint(FILM, depth="256")


def test_mono_underlines_what_speaks_against() -> None:
    assert "\x1b[4;38;2" in paint(FILM, MONO)


def test_what_was_not_read_is_dim() -> None:
    assert paint(Painting("ab", [Mark(0, 1, 1.0)], seen_to=1), depth="16").endswith("\x1b[2mb\x1b[0m")


@pytest.mark.parametrize(
    ("environ", "is_tty", "choice", "depth"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, True, "auto", "truecolor"),
        ({"TERM": "xterm-256color"}, True, "auto", "256"),
        ({"TERM": "xterm"}, True, "auto", "16"),
        ({"TERM": "xterm-direct"}, True, "auto", "truecolor"),
        ({"TERM": "dumb"}, True, "auto", "plain"),
        ({"TERM": "xterm-256color"}, False, "auto", "plain"),
        ({"TERM": "xterm-256color", "FORCE_COLOR": "1"}, False, "auto", "256"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, True, "auto", "styles"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False, "auto", "plain"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, True, "auto", "256"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, True, "always", "256"),
        ({"TERM": "xterm-256color"}, True, "never", "plain"),
        ({}, False, "always", "16"),
    ],
)
def test_the_depth_follows_the_environment(environ: dict[str, str], is_tty: bool, choice: str, depth: str) -> None:
    assert depth_of(environ, is_tty=is_tty, choice=choice) == depth


def test_the_theme_follows_the_environment() -> None:
    assert theme_of({}) == "dark"
    assert theme_of({"COLORFGBG": "0;15"}) == "light"
    assert theme_of({"COLORFGBG": "0;15", "SALISCOPE_THEME": "dark"}) == "dark"


def test_legends_name_the_target_safely() -> None:
    assert strip(legend(BLUE_ORANGE, "256", target="bad\x1b")).startswith("against bad␛")
    assert "more important" in legend(BLUE_ORANGE, "256", signed=False)
    assert legend(BLUE_ORANGE, "plain") == ""


@given(st.floats(), st.integers(0, 40))
def test_bars_stay_in_their_room(share: float, columns: int) -> None:
    assert len(bar(share, columns)) <= columns
    against, towards = two_sided(share, 0.5, columns or 1)
    assert len(against) == len(towards) == (columns or 1)


def test_bars_are_exact_to_an_eighth() -> None:
    assert bar(0.5, 3) == "█▌"
    assert bar(0.0001, 10) == "▏"
    assert bar(0.0, 10) == ""
    assert two_sided(-1.0, 2.0, 4) == ("  ━━", "    ")


def test_percentages_round_to_no_false_certainty() -> None:
    assert [percent(share) for share in (0.5, 0.00001, 0.99999, 1.0, 0.0)] == [
        "50.0%", "<0.1%", ">99.9%", "100.0%", " 0.0%"
    ]  # fmt: skip
