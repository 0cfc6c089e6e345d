"""A data set: its table, the row at the cursor, and the job in the background."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources.stamps import stamp_of
from saliscope.tui.data.arranging import Arranging
from saliscope.tui.data.detail import RowDetail
from saliscope.tui.data.head import show_head
from saliscope.tui.data.order import ORDERS
from saliscope.tui.data.sight import learn
from saliscope.tui.data.strip import JobStrip
from saliscope.tui.data.table import RecordTable
from saliscope.tui.data.terms import HELP, read_terms
from saliscope.tui.widgets.bar import TopBar
from saliscope.tui.widgets.keybar import KeyBar
from saliscope.tui.widgets.notice import Notice

if TYPE_CHECKING:
    from saliscope.tui.app import TuiApp
    from saliscope.tui.data.room import DataRoom

#: How long the reader rests on rows before they are asked about, in seconds.
REST_S: Final = 0.08
#: How often it is looked whether more is known, and whether the file is still the same, in seconds.
TICK_S: Final = 0.2
CHECK_S: Final = 1.0
SEARCH_REST_S: Final = 0.15


class DataScreen(Screen[None]):
    """Shows the data set of a room; what it does there goes on when it is left."""

    app: TuiApp

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "Sort", tooltip="By place, by confidence (the least sure first), by trouble"),
        Binding("slash", "filter", "Filter", key_display="/", tooltip=f"Narrow down: {HELP}"),
        Binding("n", "wrong(1)", "Next ✗", tooltip="Go to the next row whose label is not predicted"),
        Binding("N", "wrong(-1)", "Previous ✗", show=False, tooltip="Go to the one before"),
        Binding("b", "job", "Job", tooltip="Explain all rows in the background: start, pause, resume, cancel"),
        Binding("v", "classes", "Classes", tooltip="What the rows say together: words of a class, confusion, slices"),
        Binding("f2,M", "app.pick('model')", "Model", show=False, tooltip="Choose another model"),
        Binding("f3,m", "app.pick('method')", "Method", show=False, tooltip="Choose another method"),
        Binding("f4,t", "app.pick('target')", "Target", show=False, tooltip="Choose what is explained"),
        Binding("f6,p", "app.parameters", "Parameters", show=False, tooltip="Set the parameters of the method"),
        Binding("f1,question_mark", "help", "Help", key_display="F1", tooltip="Every key of the table"),
        Binding("f12", "app.log_screen", "Log", show=False, tooltip="Show what happened so far"),
        Binding("ctrl+p", "app.command_palette", "Commands", show=False, tooltip="Search all commands"),
        Binding("ctrl+q", "app.quit", "Quit", show=False, tooltip="Leave; a job goes on"),
        Binding("escape", "back", "Back", tooltip="From the filter to the table, from the table to the text"),
    ]  # fmt: skip

    def __init__(self, room: DataRoom) -> None:
        super().__init__()
        self._room, self._data = room, room.data
        self._choices = room.choices
        self._inks = self.app.inks
        self._arranging = Arranging(self._data)
        self._was_connected = False
        self._was_whole = room.job.results is not None
        #: How much of what was told is on the screen.
        self.num_shown = -1
        #: Why the file cannot be read any more, if it cannot.
        self._lost = ""

    def compose(self) -> ComposeResult:
        """The bar, the table beside the row at the cursor, the job, the keys."""
        inks = self._inks
        yield TopBar()
        with Horizontal(id="data"):
            with Vertical(id="data-left"):
                yield Static(id="data-head", markup=False)
                yield RecordTable(self._data, inks, id="data-table")
                yield Input(self._data.line, placeholder=HELP, id="data-filter", compact=True)
                yield Static(id="data-summary", markup=False)
            yield RowDetail(self._data, inks, id="data-detail")
        yield Notice(id="data-notice")
        yield JobStrip(id="data-job")
        yield KeyBar()

    def on_mount(self) -> None:
        """Show what is known, and what comes."""
        self.query_one("#data-filter").display = bool(self._data.line)
        self.table.focus()
        self.set_interval(TICK_S, self._tick)
        self.set_interval(CHECK_S, self._check)
        self._tick()

    @property
    def table(self) -> RecordTable:
        """The table."""
        return self.query_one(RecordTable)

    # -- what is shown ----------------------------------------------------------------------------

    def _tick(self) -> None:
        """Show what is new since the last time; a screen that is being left has nothing to show it on."""
        if not self.is_running:
            return
        if self._data.grow():
            self.table.again()
            self._look()
        if self._room.choices != self._choices:
            self._choices = self._room.choices
            self._look()
        if self._inks is not self.app.inks:
            self._inks = self.table.inks = self.query_one(RowDetail).inks = self.app.inks
            self.num_shown = -1
        is_connected = self.app.desk.state == "connected"
        if is_connected and not self._was_connected:
            self._room.find_job()
            self._look()
        self._was_connected = is_connected
        is_whole = self._room.job.results is not None
        if is_whole and not self._was_whole and not self._data.wish.is_plain:
            # Every row is known now, and has its place.
            self._arrange(is_wished=False)
        self._was_whole = is_whole
        if self.num_shown != self._room.num_news:
            self.num_shown = self._room.num_news
            self.table.refresh()
            self.query_one(RowDetail).show(self.table.row)
        self._show_lines()

    def _show_lines(self) -> None:
        data, table = self._data, self.table
        order = data.wish.order
        problem = f" · {data.file.problem}" if data.file.problem else ""
        summary = f"{data.summary}{self._arranging.searched}{problem}"
        self.query_one("#data-summary", Static).update(summary, layout=False)
        self.query_one("#data-head", Static).update(table.head(), layout=False)
        how = "" if order == "place" else f" · by {order}, as far as it is known"
        self.query_one("#data-left").border_title = f"{data.path.name}{how}"
        self.query_one("#data-left").border_subtitle = f"{table.cursor + 1:,}/{len(data.rows):,}" if data.rows else ""
        self.query_one(Notice).say(self._lost or self._room.notice)
        self.query_one(JobStrip).show(self._room.job.line(), self.app.inks)
        row = table.row
        look = None if row is None else data.look_at(row)
        is_waiting = row is not None and look is None and not data.why_not(row)
        show_head(self.query_one(TopBar), self._room.choices, self.app.desk, look, is_waiting=is_waiting)

    def _check(self) -> None:
        """See whether the file is still the one that was opened."""
        if not self.is_running:
            return
        try:
            if stamp_of(self._data.path) == self._data.file.stamp:
                self._lost = ""
                return
            self._room.reopen()
        except SaliscopeError as error:
            self._lost = f"{error.message}; what is shown was read before."
            return
        self._lost = ""
        self.notify("The file has changed; it was read anew.")
        self.query_one("#data-filter", Input).value = ""
        self.table.go(0)
        self.table.again()
        self._look()

    # -- asking -----------------------------------------------------------------------------------

    @on(RecordTable.Moved)
    @on(RecordTable.Looked)
    def _moved(self) -> None:
        self.query_one(RowDetail).show(self.table.row)
        self._look()

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        """Know more of what is visible: first what the job has found, then predictions, then scores."""
        await asyncio.sleep(REST_S)
        if not self.is_running:
            return
        rows, row = [self._data.rows[at] for at in self.table.in_sight], self.table.row
        try:
            await learn(self._room, self.app.desk.client, rows, row)
            self._room.notice = ""
        except SaliscopeError as error:
            if error.code in ("cancelled", "superseded"):
                return
            # While the daemon is away the bar says so; it is asked again when it is back.
            self._room.notice = "" if error.code == "unavailable" else f"{error.message}\n{error.advice}"
            self.app.desk.note(f"table: {error.code}", "error")

    # -- order and filter -------------------------------------------------------------------------

    def action_sort(self) -> None:
        """Another order."""
        data = self._data
        data.wish = data.wish._replace(order=ORDERS[(ORDERS.index(data.wish.order) + 1) % len(ORDERS)])
        self._arrange()

    def action_filter(self) -> None:
        """Narrow the table down while typing."""
        line = self.query_one("#data-filter", Input)
        line.display = True
        line.focus()

    @on(Input.Changed, "#data-filter")
    def _narrow(self, event: Input.Changed) -> None:
        self._data.line = event.value
        terms = read_terms(event.value)
        if terms != self._data.wish.terms:
            self._data.wish = self._data.wish._replace(terms=terms)
            self._arrange()

    @on(Input.Submitted, "#data-filter")
    def _submit(self) -> None:
        self.table.focus()

    @work(exclusive=True, group="arrange")
    async def _arrange(self, *, is_wished: bool = True) -> None:
        """Put the rows in order; until then the old ones stay, and where it was not wished so does the cursor."""
        await asyncio.sleep(SEARCH_REST_S)
        data = self._data
        rows = await self._arranging.rows()
        if not self.is_running:
            data.rows = rows
            return
        at = self.table.row if data.wish.order == "place" or not is_wished else None
        data.rows = rows
        self.table.again()
        self.table.go(rows.index(at) if at is not None and at in rows else 0)
        self._look()

    def action_wrong(self, direction: int) -> None:
        """Go to the next row whose label is not predicted, or to the one before, of those that are known."""
        rows, known, at = self._data.rows, self._data.known, self.table.cursor + direction
        wrong = set(known.wrong())
        while 0 <= at < len(rows) and wrong:
            if rows[at] in wrong:
                self.table.go(at)
                return
            at += direction
        self.notify("No other is known in this direction; a job (b) looks at all rows.")

    def action_back(self) -> None:
        """From the filter to the table, from the table to the text."""
        line = self.query_one("#data-filter", Input)
        if line.has_focus or line.value:
            line.value, line.display = "", False
            self.table.focus()
            return
        self._room.leave()

    # -- the rest ---------------------------------------------------------------------------------

    @on(RecordTable.Opened)
    def _edit(self) -> None:
        if self.table.row is not None:
            self._room.edit(self.table.row)

    def action_job(self) -> None:
        """Start a job, or pause, resume or cancel the one there is."""
        self._room.show_job()

    def action_classes(self) -> None:
        """Show what the rows of the job say together."""
        self._room.show_classes()

    def action_help(self) -> None:
        """Show every key."""
        self._room.show_help([*self.BINDINGS, *RecordTable.BINDINGS])
