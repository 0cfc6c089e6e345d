"""The strongest tokens in a list, each with its score and a bar around zero."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from saliscope.protocol.explanation import Explanation
from saliscope.render.bars import two_sided
from saliscope.render.buckets import bucket, peak_of
from saliscope.render.explained import strongest
from saliscope.render.graphemes import cut, width
from saliscope.render.text import one_line, signed
from saliscope.tui.inks import Inks

MAX_ROWS = 50
MAX_NAME = 14
#: Cells of a number with the spaces around it.
NUMBER = 9


class Strongest(OptionList):
    """The features of a record by magnitude; to move in it moves the cursor of the editor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "cursor_down", "Next", show=False),
        Binding("k,up", "cursor_up", "Previous", show=False),
        Binding("i,escape,enter", "screen.write", "Write", tooltip="Back to the editor"),
    ]

    class Chosen(Message):
        """The reader went to feature number `index`."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, inks: Inks, id: str | None = None) -> None:
        super().__init__(id=id, compact=True)
        self.inks = inks
        self._explanation: Explanation | None = None
        self._order: list[int] = []

    def show(self, explanation: Explanation | None, index: int | None) -> None:
        """Show the features of an explanation, with the one of this index highlighted."""
        if explanation is not self._explanation:
            self._explanation = explanation
            self._fill()
        with self.prevent(OptionList.OptionHighlighted):
            self.highlighted = self._order.index(index) if index in self._order else None

    def redraw(self) -> None:
        """Draw again in other inks or another width."""
        self._fill()

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self._fill()

    def _fill(self) -> None:
        explanation = self._explanation
        self._order = [] if explanation is None else strongest(explanation, MAX_ROWS)
        with self.prevent(OptionList.OptionHighlighted):
            self.set_options([Option(self._row(explanation, at)) for at in self._order] if explanation else [])

    def _row(self, explanation: Explanation, index: int) -> Text:
        score, peak = explanation.scores[index], peak_of(explanation.scores)
        style = self.inks.style(bucket(score, peak))
        across = self.scrollable_content_region.width
        room_of_name = max(4, min(MAX_NAME, across - NUMBER))
        name = cut(one_line(explanation.features[index].text), room_of_name)
        row = Text(no_wrap=True)
        row.append(name, style).append(" " * (room_of_name - width(name)))
        number = signed(score, peak)
        row.append(f" {number if explanation.signed else number.removeprefix('+'):>7} ")
        room = across - room_of_name - NUMBER - 1
        half = (room - 1) // 2 if explanation.signed else room
        if half < 2:
            return row
        against, towards = two_sided(score, peak, half)
        return row.append(f"{against}│{towards}" if explanation.signed else towards, "dim")

    @on(OptionList.OptionHighlighted)
    def _go(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if self.has_focus and event.option_index < len(self._order):
            self.post_message(self.Chosen(self._order[event.option_index]))
