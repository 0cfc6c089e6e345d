"""Where the output goes: how wide it is, which colours it shows."""

from __future__ import annotations

import os
import shutil
import sys
from typing import NamedTuple, TextIO

from saliscope.render.ansi import Depth, depth_of, style, theme_of
from saliscope.render.palettes import PALETTES, Palette, Theme

#: Wider lines are hard to read: tables and bars stop growing here.
MAX_COLUMNS = 100


class Terminal(NamedTuple):
    """What stdout can show."""

    columns: int
    depth: Depth
    theme: Theme
    palette: Palette

    @classmethod
    def of_stdout(cls, color: str = "auto", palette: str | None = None) -> Terminal:
        """The terminal behind stdout, or 80 columns without colours where there is none."""
        columns = min(MAX_COLUMNS, shutil.get_terminal_size((80, 24)).columns)
        depth = depth_of(os.environ, is_tty=is_tty(sys.stdout), choice=color)
        chosen = PALETTES[palette] if palette else next(iter(PALETTES.values()))
        return cls(max(20, columns), depth, theme_of(os.environ), chosen)

    def quiet(self, text: str) -> str:
        """Text that stands back."""
        return style(text, "2", self.depth)

    def strong(self, text: str) -> str:
        """Text that stands out."""
        return style(text, "1", self.depth)

    def tinted(self, text: str, code: str) -> str:
        """Text in one of the sixteen colours."""
        return style(text, code, self.depth)


def is_tty(stream: TextIO) -> bool:
    """Whether a person looks at the stream (a closed one has nobody)."""
    try:
        return stream.isatty()
    except ValueError:
        return False
