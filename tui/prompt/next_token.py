"""Which tokens could stand at a place, as bars."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text
from textual.widgets import Static

from saliscope.render.bars import bar, percent
from saliscope.render.graphemes import cut, width
from saliscope.render.labels import shown_label
from saliscope.render.text import one_line
from saliscope.tui.inks import Inks

MAX_NAME = 14


class NextToken(Static):
    """The likeliest tokens with their probabilities; one of them may be the chosen one."""

    def __init__(self, inks: Inks, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self.inks = inks
        self._likely: Mapping[str, float] = {}
        self._chosen = ""

    def show(self, likely: Mapping[str, float], chosen: str = "", title: str = "Next token") -> None:
        """Show a distribution; `chosen` is the token that was written there."""
        self._likely, self._chosen, self.border_title = likely, chosen, title
        self.update(self._drawn())

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self.update(self._drawn())

    def _drawn(self) -> Text:
        if not self._likely:
            return Text("–", "dim")
        room, lines = max(4, self.content_size.width - MAX_NAME - 9), []
        for token, share in self._likely.items():
            is_chosen = token == self._chosen
            name = cut(one_line(shown_label("next-token", token)), MAX_NAME)
            line = Text(name + " " * (MAX_NAME - width(name)), "bold" if is_chosen else "", no_wrap=True)
            line.append(f" {percent(share):>6} ")
            lines.append(line.append(bar(share, room), self.inks.bar(is_chosen)))
        return Text("\n").join(lines)
