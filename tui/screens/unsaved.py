"""What is to become of an edited row that is not written yet."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

Fate = Literal["save", "drop"]


class Unsaved(ModalScreen[Fate | None]):
    """Ends with what is to be done, or None: go on editing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Go on editing"),
        Binding("s,enter", "end('save')", "Write"),
        Binding("d", "end('drop')", "Drop"),
    ]

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def compose(self) -> ComposeResult:
        """The question and its three answers."""
        with Vertical(classes="dialog"):
            yield Static(f"{self._what} was edited and not written.", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Write it (s)", id="save", variant="primary", compact=True)
                yield Button("Drop the edit (d)", id="drop", variant="warning", compact=True)
                yield Button("Go on (Esc)", id="go-on", compact=True)

    def on_mount(self) -> None:
        """Begin with the answer that loses nothing."""
        self.query_one(Vertical).border_title = "Not written"
        self.query_one("#save").focus()

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        self.dismiss(None if event.button.id == "go-on" else "drop" if event.button.id == "drop" else "save")

    def action_end(self, fate: Fate) -> None:
        """End with an answer."""
        self.dismiss(fate)
