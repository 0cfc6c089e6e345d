"""Where to write the explanation, and as what; or to the clipboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from saliscope.tui.exporting import Form


class Wish(NamedTuple):
    """What to do with the explanation: write it in this form to a file, or copy it (no file)."""

    form: Form
    file: str | None


class ExportScreen(ModalScreen[Wish | None]):
    """Ends with a wish, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel"),
        Binding("ctrl+y", "copy", "Copy", priority=True),
        Binding("down", "move(1)", "Next", show=False, priority=True),
        Binding("up", "move(-1)", "Previous", show=False, priority=True),
    ]

    def __init__(self, forms: Sequence[Form], stem: str) -> None:
        super().__init__()
        self._forms, self._stem = forms, stem

    def compose(self) -> ComposeResult:
        """The forms, and the name of the file."""
        with Vertical(classes="dialog"):
            rows = [Text.assemble((f"{form.name:<10}", "bold"), (form.note, "dim")) for form in self._forms]
            yield OptionList(*map(Option, rows), id="forms", compact=True)
            yield Input(id="file", compact=True)
            yield Static("Enter writes the file, Ctrl+y copies, Esc leaves", classes="hint")

    def on_mount(self) -> None:
        """Propose a name."""
        self.query_one(Vertical).border_title = "Export"
        self.query_one(OptionList).highlighted = 0
        self.query_one(Input).focus()

    def action_move(self, by: int) -> None:
        """Move among the forms while typing."""
        options = self.query_one(OptionList)
        if by > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_copy(self) -> None:
        """Copy it instead."""
        self.dismiss(Wish(self._form, None))

    @property
    def _form(self) -> Form:
        return self._forms[self.query_one(OptionList).highlighted or 0]

    @on(OptionList.OptionHighlighted)
    def _propose(self) -> None:
        self.query_one(Input).value = f"{self._stem}{self._form.suffix}"

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def _write(self) -> None:
        file = self.query_one(Input).value.strip()
        if file:
            self.dismiss(Wish(self._form, file))
