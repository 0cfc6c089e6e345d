"""What happened so far, newest last; never anything of the text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class LogScreen(ModalScreen[None]):
    """The lines of the log."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f12,q", "dismiss", "Close")]

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__()
        self._lines = list(lines)

    def compose(self) -> ComposeResult:
        """The lines in a box that scrolls."""
        with VerticalScroll(classes="dialog wide"):
            yield Static("\n".join(self._lines) or "Nothing happened yet.", markup=False)

    def on_mount(self) -> None:
        """Show the newest."""
        box = self.query_one(VerticalScroll)
        box.border_title, box.border_subtitle = "Log", "Esc closes"
        box.scroll_end(animate=False)
