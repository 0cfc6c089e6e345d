"""A terminal to drive programs in as a person does: tmux, its keys, and the screen with its colours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

TMUX: Final = shutil.which("tmux")


class Terminal:
    """A tmux server of its own with one pane."""

    def __init__(self, folder: Path, environment: dict[str, str], columns: int, rows: int) -> None:
        self._socket, self._columns = folder / "tmux", columns
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
        """Type a text as it is."""
        self._tmux("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        """Press keys, by the names that tmux has for them."""
        self._tmux("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self, *, colours: bool = False) -> str:
        """What is on the screen; with `colours` as a terminal writes them."""
        return self._tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def until(self, is_so: Callable[[str], bool], *, colours: bool = False, limit_s: float = 240) -> str:
        """Wait until the screen is so, and return it."""
        end = time.monotonic() + limit_s
        while not is_so(shown := self.screen(colours=colours)):
            if time.monotonic() > end:
                raise TimeoutError(f"the screen never was so:\n{self.screen()}")
            time.sleep(0.05)
        return shown

    def rest(self, seconds: float = 1.5) -> None:
        """Wait until the screen has been the same for so long."""
        seen, since = "", time.monotonic()
        while time.monotonic() - since < seconds:
            if (shown := self.screen(colours=True)) != seen:
                seen, since = shown, time.monotonic()
            time.sleep(0.05)

    def picture(self, title: str, ground: str, text: str) -> str:
        """The screen as SVG, on a ground with a text colour, both as #rrggbb."""
        from rich.color import Color
        from rich.console import Console
        from rich.terminal_theme import SVG_EXPORT_THEME, TerminalTheme
        from rich.text import Text

        page, ink = (tuple(Color.parse(colour).get_truecolor()) for colour in (ground, text))
        # A ground of its own colour is written as the first of the sixteen.
        basic = [page, *map(tuple, SVG_EXPORT_THEME.ansi_colors._colors[1:])]
        theme = TerminalTheme(page, ink, basic)  # type: ignore[arg-type]
        with open(os.devnull, "w") as nowhere:
            console = Console(
                record=True, width=self._columns, file=nowhere, force_terminal=True, color_system="truecolor"
            )
            for line in _plain(self.screen(colours=True)).splitlines():
                console.print(Text.from_ansi(line), no_wrap=True, overflow="crop", highlight=False, soft_wrap=False)
            return console.export_svg(title=title, theme=theme)

    def end(self) -> None:
        """End the terminal and what runs in it."""
        self._tmux("kill-server")


def _plain(screen: str) -> str:
    """Kinds and colours of underlines, which are subparameters, as plain underlines; a colon is read by few."""
    return re.sub(r"\x1b\[([0-9;:]*)m", lambda found: f"\x1b[{_codes(found[1])}m", screen)


def _codes(given: str) -> str:
    kept = ("4" if one.startswith("4:") and one != "4:0" else one for one in given.split(";"))
    return ";".join(one for one in kept if ":" not in one)
