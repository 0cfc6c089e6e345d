"""What the model has written: token by token, a part of it picked."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

from saliscope.protocol.results import Generated
from saliscope.render.text import visible
from saliscope.tui.inks import Inks

#: A token less likely than this was no matter of course; it is underlined.
UNSURE: Final = 0.5


class AnswerView(Static, can_focus=True):
    """The text behind a prompt; the arrows pick a token of it, with Shift several."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "pick(1)", "Next token", show=False),
        Binding("left", "pick(-1)", "Token before", show=False),
        Binding("shift+right", "widen(1)", "One more", show=False),
        Binding("shift+left", "widen(-1)", "One fewer", show=False),
        Binding("home", "all", "All of it", show=False),
        Binding("enter", "screen.why", "Why", tooltip="Show what in the prompt caused the picked tokens"),
    ]

    class Picked(Message):
        """Tokens `start` to `end` of the answer are picked."""

        def __init__(self, start: int, end: int) -> None:
            super().__init__()
            self.start, self.end = start, end

    def __init__(self, inks: Inks, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self.inks = inks
        self._answer: Generated | None = None
        self._picked = (0, 0)
        self._anchor: int | None = None

    def show(self, answer: Generated | None, picked: tuple[int, int]) -> None:
        """Show an answer with a part of it picked."""
        self._answer, self._picked = answer, picked
        self.border_subtitle = ""
        self.update(self._drawn())

    def show_so_far(self, text: str, num_tokens: int) -> None:
        """Show what is being written."""
        self.border_subtitle = f"{num_tokens} tokens · Esc stops"
        self.update(Text(visible(text) + "▌"))

    def _drawn(self) -> Text:
        answer = self._answer
        if answer is None:
            return Text("Ctrl+g has the model write on.", "dim italic")
        text, chosen = Text(), Style(reverse=True) + self.inks.bar(True)
        for number, token in enumerate(answer.tokens):
            style = Style(underline=token.probability < UNSURE) + Style.from_meta({"token": number})
            if self._picked[0] <= number < self._picked[1]:
                style += chosen
            text.append(visible(answer.text[token.start : token.end]), style)
        ends = {"end": " ■", "length": " …", "": " ✂ stopped"}
        return text.append(ends[answer.finish], "dim")

    # -- picking ----------------------------------------------------------------------------------

    def _pick(self, start: int, end: int) -> None:
        if self._answer is not None and self._answer.tokens:
            last = len(self._answer.tokens)
            start = max(0, min(start, last - 1))
            self.post_message(self.Picked(start, max(start + 1, min(end, last))))

    def action_pick(self, by: int) -> None:
        """Pick the next token, or the one before."""
        at = self._picked[0] + by if by < 0 or self._picked[1] == 0 else self._picked[1]
        at = 0 if self._picked[1] == 0 else at
        self._pick(at, at + 1)

    def action_widen(self, by: int) -> None:
        """Pick one token more, or one fewer."""
        self._pick(self._picked[0], self._picked[1] + by)

    def action_all(self) -> None:
        """Pick all of it."""
        if self._answer is not None:
            self._pick(0, len(self._answer.tokens))

    @staticmethod
    def _token_at(event: events.MouseEvent) -> int | None:
        """The token below the mouse."""
        found = event.style.meta.get("token")
        return found if isinstance(found, int) else None

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to pick."""
        at = self._token_at(event)
        if at is not None:
            self._anchor = at
            self.capture_mouse()
            self._pick(at, at + 1)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Pick as far as the mouse is drawn."""
        at = self._token_at(event)
        if self._anchor is not None and at is not None:
            self._pick(min(at, self._anchor), max(at, self._anchor) + 1)

    def on_mouse_up(self) -> None:
        """That is all of it."""
        self._anchor = None
        self.release_mouse()
