"""One message of a prompt: its role and its text, in colours once something is explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Static, TextArea

from saliscope.render.painting import Painting
from saliscope.render.text import visible
from saliscope.tui.inks import Inks
from saliscope.tui.places import Lines, edit_between

#: Keys of a text area that mean something else here.
OF_THE_SCREEN: Final = ("f6", "f7", "ctrl+d")
HINT: Final = "Type what the model is to go on from."


def _without_keys() -> Iterator[Binding]:
    """The bindings of a text area without those keys."""
    for binding in TextArea.BINDINGS:
        assert isinstance(binding, Binding)
        keys = [key for key in binding.key.split(",") if key not in OF_THE_SCREEN]
        if keys:
            yield replace(binding, key=",".join(keys))


class PromptArea(TextArea, inherit_bindings=False):
    """A text that shows a painting of itself until it is edited."""

    BINDINGS: ClassVar[list[BindingType]] = list(_without_keys())

    def __init__(self, text: str, inks: Inks) -> None:
        super().__init__(text, soft_wrap=True, highlight_cursor_line=False, tab_behavior="focus", placeholder=HINT)
        self.match_cursor_bracket = False
        self._inks = inks
        self._painting: Painting | None = None

    def paint(self, painting: Painting | None) -> None:
        """Show a painting of the text, or none."""
        self._painting = painting
        self._line_cache.clear()
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """What is visible; one that was taken away may be drawn once more, and has no styles any more."""
        return super().render_lines(crop) if self.is_attached else [Strip.blank(crop.width)] * crop.height

    def render_line(self, y: int) -> Strip:
        """One row; a text area has no way to write its hint where there is no room at all."""
        return super().render_line(y) if self.content_size.width > 0 else Strip([])

    def get_line(self, line_index: int) -> Text:
        """A line in its colours."""
        line = Text(visible(self.document.get_line(line_index)), end="", no_wrap=True)
        if self._painting is None:
            return line
        start = Lines(self.document.lines, self.document.newline).offset(line_index, 0)
        for part in self._painting.segments():
            if part.end > start and part.start < start + len(line):
                style = self._inks.style(part.bucket, seen=part.seen)
                line.stylize(style, max(0, part.start - start), part.end - start)
        return line


class MessageBox(Vertical):
    """Message number `at`; says when it is edited."""

    class Edited(Message):
        """The text of message number `at` is another."""

        def __init__(self, at: int, content: str) -> None:
            super().__init__()
            self.at, self.content = at, content

    class Turned(Message):
        """The reader clicked on the role of message number `at`."""

        def __init__(self, at: int) -> None:
            super().__init__()
            self.at = at

    def __init__(self, at: int, role: str, content: str, inks: Inks, **options: Any) -> None:
        super().__init__(classes="message", **options)
        self.at = at
        self._role, self._content = role, content
        #: The text; there before it is shown, since boxes are painted as soon as they are mounted.
        self.area = PromptArea(content, inks)
        self._shown = content

    def compose(self) -> ComposeResult:
        """The role above the text."""
        yield Static(Text.assemble((self._role, "bold"), (" ▾" if self._role else "", "dim")), classes="role")
        yield self.area

    def on_mount(self) -> None:
        """A plain prompt has no role."""
        self.query_one(Static).display = bool(self._role)
        self._shown = self.area.text

    @on(TextArea.Changed)
    def _tell(self, event: TextArea.Changed) -> None:
        event.stop()
        edit = edit_between(self._shown, self.area.text)
        if edit is None:
            return
        # The area has line breaks of one kind; where they are as long as those of the text, these stay.
        is_aligned = len(self._shown) == len(self._content)
        self._shown = self.area.text
        self._content = edit.applied(self._content) if is_aligned else self._shown
        self.post_message(self.Edited(self.at, self._content))

    async def on_click(self, event: Any) -> None:
        """A click on the role takes the next one."""
        if event.widget is self.query_one(Static):
            self.post_message(self.Turned(self.at))
