"""The terminal UI in a real terminal: tmux, its keys and the colours that it holds."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from saliscope.render.palettes import BLUE_ORANGE, rgb

TMUX = shutil.which("tmux")
pytestmark = pytest.mark.skipif(TMUX is None, reason="tmux is missing: `apt-get install tmux` (or brew) brings it")


class Terminal:
    """A tmux server of its own with one pane."""

    def __init__(self, folder: Path, environment: dict[str, str], columns: int, rows: int) -> None:
        self._socket = folder / "tmux"
        given = {name: value for name, value in environment.items() if name not in ("NO_COLOR", "TMUX")}
        given |= {
            "XDG_STATE_HOME": str(folder),
            "COLORTERM": "truecolor",
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
        }
        self._environment = given
        (folder / "conf").write_text(
            "set -g default-terminal tmux-256color\nset -ga terminal-overrides ',*:Tc'\nset -g remain-on-exit on\n"
            "set -s escape-time 10\n"
        )
        self._tmux("-f", str(folder / "conf"), "new-session", "-d", "-x", str(columns), "-y", str(rows), "sh")

    def _tmux(self, *arguments: str) -> str:
        assert TMUX is not None
        command = [TMUX, "-S", str(self._socket), *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=True).stdout

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self, *, colours: bool = False) -> str:
        return self._tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def until(self, is_so: Callable[[str], bool], *, colours: bool = False) -> str:
        """Wait until the screen is so; the limit of the test is the only one."""
        while not is_so(shown := self.screen(colours=colours)):
            time.sleep(0.05)
        return shown

    def end(self) -> None:
        self._tmux("kill-server")


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
