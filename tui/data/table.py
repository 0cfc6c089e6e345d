"""The table of a data set: only the rows that are visible are read and drawn."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from saliscope.render.bars import bar, percent
from saliscope.render.graphemes import cut, pad
from saliscope.render.text import one_line, visible
from saliscope.tui.data.columns import Columns, columns_of
from saliscope.tui.data.data_set import DataSet
from saliscope.tui.data.scored import SHOWN
from saliscope.tui.inks import Inks

_BREAKS: Final = str.maketrans("\n\t", "↵⇥")


class RecordTable(ScrollView, can_focus=True):
    """One line a row of the data set, with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Next row", show=False),
        Binding("up,k", "move(-1)", "Row before", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("home,g", "go(0)", "First row", show=False),
        Binding("end,G", "go(-1)", "Last row", show=False),
        Binding("enter", "open", "Edit", tooltip="Edit the text of the row in the editor, with live colours"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cursor", "table--quiet", "table--wrong"}

    cursor: reactive[int] = reactive(0)

    class Moved(Message):
        """The cursor is on another row."""

    class Looked(Message):
        """Other rows are visible."""

    class Opened(Message):
        """The reader wants to edit the row at the cursor."""

    def __init__(self, data: DataSet, inks: Inks, id: str | None = None) -> None:
        super().__init__(id=id)
        self.data, self.inks = data, inks
        self._columns: Columns = columns_of(80, 1)
        self._plain = Style.null()

    def on_mount(self) -> None:
        """Begin where the reader was."""
        self.again()
        self.set_reactive(RecordTable.cursor, min(self.data.cursor, max(0, len(self.data.rows) - 1)))
        self.call_after_refresh(self._show_cursor)

    def on_resize(self) -> None:
        """Columns are as wide as there is room, and other rows may be visible."""
        self.again()
        self.post_message(self.Looked())

    def watch_show_vertical_scrollbar(self) -> None:
        """A scroll bar takes room from the columns."""
        self.again()

    def again(self) -> None:
        """Draw everything again: there are other rows, or more is known of them."""
        width = self.scrollable_content_region.width
        self._columns = columns_of(width, len(self.data.file))
        self.virtual_size = Size(width, len(self.data.rows))
        self.refresh()

    @property
    def row(self) -> int | None:
        """The number of the row at the cursor; None in an empty table."""
        rows = self.data.rows
        return rows[self.cursor] if self.cursor < len(rows) else None

    @property
    def in_sight(self) -> range:
        """The positions that are visible."""
        top = self.scroll_offset.y
        return range(top, min(top + self.scrollable_content_region.height, len(self.data.rows)))

    # -- moving -----------------------------------------------------------------------------------

    def go(self, position: int) -> None:
        """Put the cursor on a position of the table."""
        self.cursor = max(0, min(position, len(self.data.rows) - 1))

    def action_move(self, by: int) -> None:
        """Go some rows on."""
        self.go(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Go a page on."""
        self.go(self.cursor + by * max(1, self.scrollable_content_region.height - 1))

    def action_go(self, position: int) -> None:
        """Go to the first row, or to the last one."""
        self.go(len(self.data.rows) - 1 if position < 0 else position)

    def action_open(self) -> None:
        """Edit the row."""
        if self.row is not None:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """A click goes to a row, a second one edits it."""
        place = event.get_content_offset(self)
        if place is not None:
            self.go(self.scroll_offset.y + place.y)
            if event.chain == 2:
                self.action_open()

    def watch_cursor(self) -> None:
        """Say that the cursor has moved, and show it."""
        self.data.cursor = self.cursor
        self._show_cursor()
        self.refresh()
        self.post_message(self.Moved())

    def _show_cursor(self) -> None:
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Say that other rows are visible."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Looked())

    # -- drawing ----------------------------------------------------------------------------------

    def head(self) -> Text:
        """The names of the columns, for a line above."""
        columns = self._columns
        line = pad("#", columns.number, right=True) + "   " + pad("predicted", columns.predicted)
        line += " " * (columns.bar + columns.share)
        for name, room in (("label", columns.label), ("found", columns.findings)):
            line += pad(name, room) if room else ""
        return Text(line + "text", no_wrap=True, overflow="crop")

    def render_lines(self, crop: Region) -> list[Strip]:
        """What is visible; its plain style is looked up once, not for each line."""
        self._plain = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """One line of what is visible."""
        position, width = self.scroll_offset.y + y, self.scrollable_content_region.width
        if position >= len(self.data.rows):
            return Strip.blank(width, self._plain)
        base = self._plain
        if position == self.cursor:
            base += self.get_component_rich_style("table--cursor", partial=True)
        line = self._line(self.data.rows[position])
        segments = [Segment(one.text, base + (one.style or Style.null())) for one in line.render(self.app.console)]
        return Strip([one for one in segments if one.text != "\n"]).adjust_cell_length(width, base)

    def _line(self, row: int) -> Text:
        columns, verdict = self._columns, self.data.known.get(row)
        record = self.data.record(row)
        quiet = self.get_component_rich_style("table--quiet", partial=True)
        wrong = self.get_component_rich_style("table--wrong", partial=True)
        is_wrong = verdict is not None and verdict.is_wrong
        line = Text(no_wrap=True, end="")
        line.append(pad(f"{row:,}", columns.number, right=True), quiet)
        line.append(" ✗ " if is_wrong else "   ", wrong)
        said = "…" if verdict is None else verdict.predicted or "–"
        line.append(_cell(said, columns.predicted), wrong if is_wrong else Style.null())
        if columns.share:
            share = None if verdict is None else verdict.share
            if columns.bar:
                drawn = "" if share is None else bar(share, columns.bar)
                line.append(pad(drawn, columns.bar), self.inks.bar(not is_wrong))
            line.append(pad("" if share is None else percent(share), columns.share - 1, right=True) + " ")
        if columns.label:
            label = verdict.label if verdict is not None else "" if record.label is None else str(record.label)
            line.append(_cell(label, columns.label))
        if columns.findings:
            line.append(_cell("" if verdict is None else " ".join(verdict.findings), columns.findings), quiet)
        return line.append_text(self._text(row, record.problem or record.shown, is_problem=bool(record.problem)))

    def _text(self, row: int, shown: str, *, is_problem: bool) -> Text:
        """The beginning of a text, in colours where they are known."""
        if is_problem:
            return Text(one_line(shown), self.get_component_rich_style("table--quiet", partial=True))
        look = self.data.look_at(row)
        if look is None:
            return Text(visible(shown[:SHOWN]).translate(_BREAKS))
        text = Text()
        for part in look.line:
            text.append(part.text.translate(_BREAKS), self.inks.style(part.bucket, seen=part.seen))
        return text


def _cell(text: str, columns: int) -> str:
    """A text that fills its column, with a space behind."""
    return pad(cut(one_line(text), columns - 1) if text else "", columns)
