"""The editor: a text area whose tokens have the colours of their scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import Edit as AreaEdit
from textual.widgets.text_area import EditResult

from saliscope.protocol.edits import Edit
from saliscope.render.text import visible
from saliscope.tui.colours import Colours
from saliscope.tui.inks import Inks
from saliscope.tui.places import Lines, edit_between

Span = tuple[int, int]

HINT = (
    "Type or paste a text: its words take colours as the model reads it.\n\n"
    "Blue speaks for what the model predicts, orange against it.\n"
    "Esc leaves the editor for single keys, F1 shows all of them."
)


class Editor(TextArea, inherit_bindings=False):
    """Tells every edit at once to `on_edit`, and shows `colours`; positions are code points of the text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "screen.read", "Read", tooltip="Leave the editor: single keys then are commands"),
        # Two keys of a text area mean something else here.
        *(binding for binding in TextArea.BINDINGS if isinstance(binding, Binding) and binding.key not in ("f6", "f7")),
    ]

    class Moved(Message):
        """The cursor stands elsewhere: `offset` in code points."""

        def __init__(self, offset: int) -> None:
            super().__init__()
            self.offset = offset

    def __init__(self, on_edit: Callable[[Edit], None], inks: Inks, **options: Any) -> None:
        super().__init__(soft_wrap=True, highlight_cursor_line=False, tab_behavior="focus", placeholder=HINT, **options)
        self.match_cursor_bracket = False
        self._on_edit = on_edit
        self._told = ""
        self._lines: Lines | None = None
        self.inks = inks
        self.colours: Colours | None = None
        #: What is drawn in its own way: the feature at the cursor, and those that are left out.
        self.chosen: Span | None = None
        self.masked: tuple[Span, ...] = ()

    # -- edits ------------------------------------------------------------------------------------

    def edit(self, edit: AreaEdit) -> EditResult:
        """Perform an edit and tell of it."""
        result = super().edit(edit)
        self._tell()
        return result

    def undo(self) -> None:
        """Undo the last batch of edits and tell of it."""
        super().undo()
        self._tell()

    def redo(self) -> None:
        """Redo the last batch of edits and tell of it."""
        super().redo()
        self._tell()

    def show(self, text: str) -> str:
        """Take another text, which is not told as an edit; what became of it, as line breaks are made alike."""
        self.load_text(text)
        self._told, self._lines, self.masked = self.text, None, ()
        return self._told

    def _tell(self) -> None:
        edit = edit_between(self._told, self.text)
        if edit is not None:
            self._told, self._lines, self.masked = self.text, None, ()
            self._on_edit(edit)

    # -- places -----------------------------------------------------------------------------------

    @property
    def lines(self) -> Lines:
        """Where the lines begin."""
        if self._lines is None:
            self._lines = Lines(self.document.lines, self.document.newline)
        return self._lines

    @property
    def offset_of_cursor(self) -> int:
        """The code point that the cursor stands on."""
        return self.lines.offset(*self.selection.end)

    def go(self, offset: int) -> None:
        """Put the cursor on a code point and show it."""
        self.move_cursor(self.lines.location(offset), center=False)

    def on_text_area_selection_changed(self) -> None:
        """Say where the cursor stands now."""
        self.post_message(self.Moved(self.offset_of_cursor))

    # -- looks ------------------------------------------------------------------------------------

    def recolour(self) -> None:
        """Draw again what is shown: scores, places or inks are others."""
        if self.colours is not None:
            self.colours.clear()
        self._line_cache.clear()
        self.refresh()

    def mark(self, chosen: Span | None, masked: tuple[Span, ...]) -> None:
        """Show which feature is the chosen one, and which are left out."""
        if (chosen, masked) != (self.chosen, self.masked):
            self.chosen, self.masked = chosen, masked
            self._line_cache.clear()
            self.refresh()

    def get_line(self, line_index: int) -> Text:
        """A line in its colours."""
        source = self.document.get_line(line_index)
        line = Text(visible(source), end="", no_wrap=True)
        if self.colours is None:
            return line
        start = self.lines.offset(line_index, 0)
        for part in self.colours.line(source, start):
            line.stylize(self.inks.style(part.bucket, stale=part.stale, seen=part.seen), part.start, part.end)
        self._stylize(line, self.chosen, start, Style(bold=True, underline=self.inks.depth == "truecolor"))
        for span in self.masked:
            self._stylize(line, span, start, Style(strike=True, dim=True))
        return line

    @staticmethod
    def _stylize(line: Text, span: Span | None, start: int, style: Style) -> None:
        if span is not None and span[1] > start and span[0] < start + len(line):
            line.stylize(style, max(0, span[0] - start), span[1] - start)
