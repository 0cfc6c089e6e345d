"""A line or two of what is wrong, and what to do."""

from __future__ import annotations

from textual.widgets import Static


class Notice(Static):
    """Takes no room while there is nothing to say."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._said = ""

    def say(self, text: str) -> None:
        """Show a text, or with an empty one nothing."""
        if text != self._said:
            self._said = text
            self.display = bool(text)
            self.update(text)
