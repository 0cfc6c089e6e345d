"""The editor: a text area whose tokens have the colours of their scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Offset, Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widgets import TextArea
from textual.widgets.text_area import Edit as AreaEdit
from textual.widgets.text_area import EditResult, Selection

from saliscope.protocol.edits import Edit
from saliscope.render.text import visible
from saliscope.tui.colours import Colours, Stretch
from saliscope.tui.inks import Inks
from saliscope.tui.places import Lines, edit_between

Span = tuple[int, int]
#: Everything that decides how a row looks: the line, which part of it, colours, marks, selection, cursor, styles.
Look = tuple[str, int, tuple[Stretch, ...], tuple[Span | None, ...], Span | None, int | None, tuple[object, ...]]
#: So many painted rows are kept.
KEPT: Final = 1024

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

    # As a text area has it, but for the repainting of every row: `recolour` knows which it is about.
    selection = reactive(Selection(), init=False, always_update=True, repaint=False)

    class Moved(Message):
        """The cursor stands elsewhere: `offset` in code points."""

        def __init__(self, offset: int) -> None:
            super().__init__()
            self.offset = offset

    def __init__(self, on_edit: Callable[[Edit], None], inks: Inks, **options: Any) -> None:
        super().__init__(soft_wrap=True, highlight_cursor_line=False, tab_behavior="focus", placeholder=HINT, **options)
        self.match_cursor_bracket = False
        self._on_edit = on_edit
        self._strips: LRUCache[Look, Strip] = LRUCache(KEPT)
        #: How each row looked when it was drawn last.
        self._painted: dict[int, Look | None] = {}
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
        self.refresh()
        return self._told

    def _tell(self) -> None:
        edit = edit_between(self._told, self.text)
        if edit is not None:
            self._told, self._lines, self.masked = self.text, None, ()
            self._on_edit(edit)
            self.recolour()

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

    def place_of(self, offset: int) -> Offset | None:
        """Where a code point stands on the screen; None where it is not visible."""
        area = self.content_region
        found = self.wrapped_document.location_to_offset(self.lines.location(offset)) - self.scroll_offset + area.offset
        return found if area.contains_point(found) else None

    def on_text_area_selection_changed(self) -> None:
        """Draw what cursor and selection have left and entered, and say where the cursor stands now."""
        self.recolour()
        self.post_message(self.Moved(self.offset_of_cursor))

    # -- looks ------------------------------------------------------------------------------------

    def ink(self, inks: Inks) -> None:
        """Draw everything in other inks."""
        self.inks = inks
        self._strips.clear()
        self.refresh()

    def mark(self, chosen: Span | None, masked: tuple[Span, ...]) -> None:
        """Show which feature is the chosen one, and which are left out."""
        self.chosen, self.masked = chosen, masked

    def recolour(self) -> None:
        """Draw the rows again that look otherwise now: text, scores, places, marks or the cursor are others."""
        styles, width = self._styles, self.size.width
        others = [y for y in range(self.size.height) if self._painted.get(y) != self._look(y, styles)]
        if others:
            self.refresh(*(Region(0, y, width, 1) for y in others))

    def render_line(self, y: int) -> Strip:
        """One row, painted anew if nothing that looks the same was painted lately."""
        look = self._painted[y] = self._look(y, self._styles)
        if look is None:
            # A text area has no way to write its hint where there is no room at all.
            return super().render_line(y) if self.content_size.width > 0 else Strip([])
        strip = self._strips.get(look)
        if strip is None:
            strip = self._strips[look] = self._render_line(y)
        return strip

    @property
    def _styles(self) -> tuple[object, ...]:
        """What all rows have in common; a text area takes it from the style sheet when it draws."""
        theme = self._theme
        return self.wrapped_document._width, theme.base_style, theme.cursor_style, theme.selection_style

    def _look(self, y: int, styles: tuple[object, ...]) -> Look | None:
        """How a row of the widget looks; None where no line of the text is, and while there is no text."""
        rows = self.wrapped_document._offset_to_line_info
        at = y + self.scroll_offset.y
        if at >= len(rows) or (len(rows) == 1 and not self.document.get_line(0)):
            return None
        line, section = rows[at]
        text, start = self.document.get_line(line), self.lines.offset(line, 0)
        stretches = () if self.colours is None else self.colours.line(text, start)
        size = len(text)
        marked = tuple(_within(span, start, size) for span in (self.chosen, *self.masked))
        (top, first), (bottom, last) = sorted(self.selection)
        selected = None
        if top <= line <= bottom and (top, first) != (bottom, last):
            selected = first if line == top else 0, last if line == bottom else size + 1
        row, column = self.selection.end
        cursor = column if row == line and self._draw_cursor else None
        return text, section, stretches, marked, selected, cursor, styles

    def get_line(self, line_index: int) -> Text:
        """A line in its colours."""
        source = self.document.get_line(line_index)
        line = Text(visible(source), end="", no_wrap=True)
        if self.colours is None:
            return line
        start = self.lines.offset(line_index, 0)
        for part in self.colours.line(source, start):
            line.stylize(self.inks.style(part.bucket, stale=part.stale, seen=part.seen), part.start, part.end)
        bold = Style(bold=True, underline=self.inks.depth == "truecolor")
        for span, style in ((self.chosen, bold), *((span, Style(strike=True, dim=True)) for span in self.masked)):
            place = _within(span, start, len(line))
            if place is not None:
                line.stylize(style, *place)
        return line


def _within(span: Span | None, start: int, size: int) -> Span | None:
    """The part of a span that lies on a line of `size` from code point `start` on, counted from there."""
    if span is None or span[1] <= start or span[0] >= start + size:
        return None
    return max(0, span[0] - start), span[1] - start
