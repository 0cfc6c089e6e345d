"""Jump mode: a letter on everything that can be reached; to type it goes there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widgets import Static


class JumpScreen(ModalScreen[str | None]):
    """Labels at the places of the targets, over the screen; ends with the target whose letter was typed, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,ctrl+o", "dismiss", "Cancel")]

    def __init__(self, targets: Mapping[str, Offset], letters: Mapping[str, str]) -> None:
        super().__init__()
        self._targets, self._letters = targets, letters

    def compose(self) -> ComposeResult:
        """One label a target."""
        for target, offset in self._targets.items():
            label = Static(f" {self._letters[target]} ", classes="jump-label")
            label.styles.offset = offset
            yield label

    def on_key(self, event: events.Key) -> None:
        """Go where the letter stands; any other key leaves."""
        if event.key in ("escape", "ctrl+o"):
            return
        event.stop()
        by_letter = {letter: target for target, letter in self._letters.items()}
        self.dismiss(by_letter.get(event.key))
