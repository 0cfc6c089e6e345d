"""Every key, what the colours mean, and what to be careful about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from saliscope.tui.keys import Key

READING = (
    "Blue words speak for what is explained, orange ones against it; the deeper, the more. Dimmed colours are of the "
    "text before the last edit. A saliency map is a measurement of a model, not a fact about the world."
)


class Help(ModalScreen[None]):
    """The keys of the app; any of Esc, F1 and q closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,q,question_mark", "dismiss", "Close")]

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """A table of keys above a word of warning."""
        with VerticalScroll(classes="dialog wide"):
            yield Static(self._table())
            yield Static(Text(READING, "dim"), classes="reading")

    def on_mount(self) -> None:
        """Name it."""
        self.query_one(VerticalScroll).border_title = "Keys"
        self.query_one(VerticalScroll).border_subtitle = "Esc closes"

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for style in ("bold", "bold", "", "dim"):
            table.add_column(style=style, no_wrap=style == "bold")
        table.add_row(Text("anywhere", "dim"), Text("reading", "dim"), "", "")
        for key in self._keys:
            table.add_row(key.always, key.reading, key.name, key.what)
        return table
