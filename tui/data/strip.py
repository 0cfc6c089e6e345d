"""The line of the job that explains a data set in the background."""

from __future__ import annotations

from collections.abc import Iterable

from rich.style import Style
from rich.text import Text
from textual.widgets import Static

from saliscope.tui.inks import Inks


class JobStrip(Static):
    """How the job is; nothing where there is none."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)

    def show(self, pieces: Iterable[tuple[str, str]], inks: Inks) -> None:
        """Show pieces of text, each with the class of its look."""
        looks: dict[str, str | Style] = {"bold": "bold", "quiet": "dim", "bad": "bold", "bar": inks.bar(True), "": ""}
        line = Text(no_wrap=True, overflow="ellipsis")
        for text, look in pieces:
            line.append(text, looks[look])
        self.display = bool(line)
        self.update(line, layout=False)
