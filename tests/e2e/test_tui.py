"""The terminal UI in a real terminal: tmux, its keys and the colours that it holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.terminal import TMUX, Terminal

from saliscope.render.palettes import BLUE_ORANGE, rgb

pytestmark = pytest.mark.skipif(TMUX is None, reason="tmux is missing: `apt-get install tmux` (or brew) brings it")


@pytest.fixture
def terminal(tmp_path: Path, environment: dict[str, str]) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, environment, 120, 32)
    yield terminal
    terminal.end()


def ground(colour: str) -> str:
    """How a terminal writes a ground colour."""
    return "48;2;" + ";".join(map(str, rgb(colour)))


def test_a_person_types_sees_colours_and_comes_back_to_the_text(terminal: Terminal) -> None:
    start = f"{sys.executable} -m saliscope.cli; echo ended $?"
    terminal.type(start)
    terminal.press("Enter")
    terminal.until(lambda shown: "Type or paste a text" in shown)
    terminal.type("a dull, lifeless and boring film")
    terminal.until(lambda shown: "● ready" in shown and "● final" in shown)
    strong = ground(BLUE_ORANGE.dark[3].ground)
    painted = terminal.until(lambda shown: strong in shown, colours=True)
    assert "negative" in terminal.screen()
    assert painted
    terminal.press("Escape")
    # A key right behind it would be one with Alt.
    terminal.until(lambda shown: "Enter Write" in shown)
    terminal.press("x")
    terminal.until(lambda shown: "masked" in shown and "→" in shown)
    for columns, rows in ((60, 20), (40, 10), (120, 32)):
        terminal.resize(columns, rows)
    terminal.until(lambda shown: "Strongest" in shown and "boring" in shown)
    terminal.press("C-q")
    terminal.until(lambda shown: "ended 0" in shown)
    terminal.type("clear; " + start)
    terminal.press("Enter")
    terminal.until(lambda shown: "a dull, lifeless and boring film" in shown and "● ready" in shown)
    terminal.press("C-q")
