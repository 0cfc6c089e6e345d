"""Jump mode: a letter on every panel, choice and strong token; to type it goes there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widgets import Static


class Label(NamedTuple):
    """Where a letter stands on the screen; `is_narrow` on a token, of which it is to hide as little as can be."""

    letter: str
    offset: Offset
    is_narrow: bool = False


class JumpScreen(ModalScreen[str | None]):
    """Labels of the targets, over the screen; ends with the target whose letter was typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,ctrl+o", "dismiss", "Cancel")]

    def __init__(self, labels: Mapping[str, Label]) -> None:
        super().__init__()
        self._labels = labels

    def compose(self) -> ComposeResult:
        """One label a target."""
        for label in self._labels.values():
            shown = Static(label.letter if label.is_narrow else f" {label.letter} ", classes="jump-label")
            shown.set_class(label.is_narrow, "-narrow")
            shown.styles.offset = label.offset
            yield shown

    def on_key(self, event: events.Key) -> None:
        """Go where the letter stands; any other key leaves."""
        if event.key in ("escape", "ctrl+o"):
            return
        event.stop()
        by_letter = {label.letter: target for target, label in self._labels.items()}
        self.dismiss(by_letter.get(event.key))
