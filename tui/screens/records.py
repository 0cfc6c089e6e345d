"""The records of the text in a table: sorted, narrowed down, and gone to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import DataTable, Input, Static

from saliscope.render.bars import bar, percent
from saliscope.render.graphemes import cut
from saliscope.render.text import one_line
from saliscope.tui.records import ORDERS, RecordRow, ordered, summary
from saliscope.tui.widgets.keybar import KeyBar

#: How often the table is made anew while records are explained, in seconds.
EVERY_S: Final = 1.0
MAX_LABEL: Final = 16
BAR: Final = 8


class RecordsScreen(Screen[int | None]):
    """Shows what `look` gives, again and again; ends with the place of the record that was chosen, or None.

    `text_at` gives the text of a record by its start.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "Sort"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("n", "wrong(1)", "Next misprediction"),
        Binding("N", "wrong(-1)", "Previous"),
        Binding("escape,q,ctrl+r", "back", "Back"),
    ]

    def __init__(self, look: Callable[[], Sequence[RecordRow]], text_at: Callable[[int], str]) -> None:
        super().__init__()
        self._look, self._text_at = look, text_at
        self._order, self._query = 0, ""
        self._rows: list[RecordRow] = []

    def compose(self) -> ComposeResult:
        """The table between a line that sums it up and one to search in."""
        with Vertical(id="records"):
            yield Static(id="summary", markup=False)
            yield DataTable[Text](cursor_type="row", zebra_stripes=False, id="table")
            yield Input(
                placeholder="narrow down: a label, a prediction, mismatch, low-margin, …", id="filter", compact=True
            )
        yield KeyBar()

    def on_mount(self) -> None:
        """Show what is known, and what comes."""
        self.query_one("#records").border_title = "Records"
        table = self.query_one(DataTable)
        for name, key in (
            ("#", "#"),
            ("predicted", "p"),
            ("", "bar"),
            ("", "share"),
            ("label", "l"),
            ("found", "f"),
            ("text", "t"),
        ):
            table.add_column(name, key=key)
        self.query_one("#filter").display = False
        self.show()
        table.focus()
        self.set_interval(EVERY_S, self.show)

    def show(self) -> None:
        """Make the table anew if something in it is otherwise; the cursor stays on its record."""
        seen = list(self._look())
        rows = ordered(seen, ORDERS[self._order], self._query)
        how = f"sorted by {ORDERS[self._order]}"
        self.query_one("#summary", Static).update(f"{summary(seen)} · {how}")
        table = self.query_one(DataTable)
        if rows == self._rows:
            return
        at = self._rows[table.cursor_row].number if self._rows and table.cursor_row < len(self._rows) else None
        self._rows = rows
        table.clear()
        for row in rows:
            table.add_row(*self._cells(row))
        numbers = [row.number for row in rows]
        if at in numbers:
            table.move_cursor(row=numbers.index(at))

    def _cells(self, row: RecordRow) -> list[Text]:
        share = row.confidence
        return [
            Text(str(row.number), "dim"),
            Text(cut(one_line(row.predicted), MAX_LABEL) if row.predicted else "…", "bold" if row.is_wrong else ""),
            Text("" if share is None else bar(share, BAR)),
            Text("" if share is None else percent(share)),
            Text(cut(one_line(row.label), MAX_LABEL) if row.label else ""),
            Text(" ".join(row.findings), "bold" if row.is_wrong else "dim"),
            Text(cut(one_line(self._text_at(row.start)), 120)),
        ]

    def action_sort(self) -> None:
        """Another order."""
        self._order = (self._order + 1) % len(ORDERS)
        self.show()

    def action_filter(self) -> None:
        """Narrow the table down while typing."""
        line = self.query_one("#filter", Input)
        line.display = True
        line.focus()

    def action_wrong(self, direction: int) -> None:
        """Go to the next record whose label the model does not predict, or to the one before."""
        table = self.query_one(DataTable)
        wrong = [at for at, row in enumerate(self._rows) if row.is_wrong]
        ahead = (
            [at for at in wrong if at > table.cursor_row]
            if direction > 0
            else [at for at in reversed(wrong) if at < table.cursor_row]
        )
        if ahead:
            table.move_cursor(row=ahead[0])

    def action_back(self) -> None:
        """From the filter to the table, from the table to the text."""
        table = self.query_one(DataTable)
        if table.has_focus:
            self.dismiss(None)
            return
        line = self.query_one("#filter", Input)
        line.value, line.display = "", False
        table.focus()

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        self._query = event.value.strip()
        self.show()

    @on(Input.Submitted)
    def _submit(self) -> None:
        self.query_one(DataTable).focus()

    @on(DataTable.RowSelected)
    def _choose(self, event: DataTable.RowSelected) -> None:
        self.dismiss(self._rows[event.cursor_row].start)
