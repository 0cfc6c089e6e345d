"""How the model is to write: how much, how freely, with which seed."""

from __future__ import annotations

from typing import Any, Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label

from saliscope.tui.prompt.state import Prompt

MOST_TOKENS: Final = 512
HOTTEST: Final = 100.0


class Wishes(Vertical):
    """A line for each wish; what is typed holds for the prompt at once."""

    def __init__(self, prompt: Prompt, id: str | None = None) -> None:
        super().__init__(id=id)
        self._prompt = prompt

    def compose(self) -> ComposeResult:
        """Tokens, temperature, seed."""
        prompt = self._prompt
        wishes = (("max tokens", prompt.max_tokens), ("temperature", f"{prompt.temperature:g}"), ("seed", prompt.seed))
        for name, value in wishes:
            with Horizontal(classes="wish"):
                yield Label(name, classes="wish-name")
                kind: Any = "number" if name == "temperature" else "integer"
                yield Input(str(value), type=kind, id=f"wish-{name.split()[0]}", compact=True)

    def on_mount(self) -> None:
        """Name the panel."""
        self.border_title = "Writing"

    @on(Input.Changed)
    def _wish(self, event: Input.Changed) -> None:
        value, prompt = event.value, self._prompt
        try:
            if event.input.id == "wish-max":
                prompt.max_tokens = max(1, min(MOST_TOKENS, int(value)))
            elif event.input.id == "wish-temperature":
                prompt.temperature = max(0.0, min(HOTTEST, float(value)))
            else:
                prompt.seed = max(0, int(value))
        except ValueError:
            # Half a number: what was there before holds until it is a whole one.
            return
