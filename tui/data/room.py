"""What the app has of an open data set: its table, the record in the editor, its job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from textual.binding import BindingType
from textual.worker import Worker

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.messages import BUNDLED
from saliscope.sources import Fields
from saliscope.tui.choices import Choices
from saliscope.tui.data.data_set import DataSet
from saliscope.tui.data.draft import Draft, Texts, Turn
from saliscope.tui.data.editing import Editing
from saliscope.tui.data.job import JobWatch
from saliscope.tui.screens.classes import ClassesScreen
from saliscope.tui.screens.data import DataScreen
from saliscope.tui.screens.job import JobScreen, Order, Start
from saliscope.tui.screens.row import RowScreen
from saliscope.tui.screens.unsaved import Unsaved

if TYPE_CHECKING:
    from saliscope.tui.tabling import Tabling


class DataRoom:
    """The data set of the app; its screens come and go, what it knows stays."""

    def __init__(self, app: Tabling, path: Path, fields: Fields) -> None:
        self._app = app
        self.data = DataSet(path, fields)
        self.job = JobWatch(self.data, lambda: app.desk.client, self.told)
        self.editing = Editing(self.data, lambda: self.job.is_running)
        #: The screen of a row with several texts, while it is there.
        self._row_screen: RowScreen | None = None
        self.notice = ""
        #: Counts up with everything that is told, so that screens know when to draw again.
        self.num_news = 0
        self._choices = self._plain_choices()
        self._is_found = False
        self._run(partial(asyncio.to_thread, self.data.find), "find")

    def _run(self, work: Callable[[], Coroutine[Any, Any, None]], group: str, *, exclusive: bool = False) -> None:
        """Do this meanwhile; it goes on when screens are left."""
        _: Worker[None] = self._app.run_worker(work, group=group, exclusive=exclusive)

    def _plain_choices(self) -> Choices:
        """What is chosen; how the text of the editor is cut into records does not matter here."""
        return replace(self._app.desk.choices, format=None)

    @property
    def choices(self) -> Choices:
        """How rows are explained; what was known otherwise is forgotten when that changes."""
        now = self._plain_choices()
        if now != self._choices:
            is_other_model = now.model != self._choices.model
            self._choices = now
            self.data.forget(verdicts=is_other_model)
            if is_other_model:
                self.job.again()
                self._follow()
            self.told()
        return now

    def told(self) -> None:
        """More is known."""
        self.num_news += 1

    # -- screens ----------------------------------------------------------------------------------

    def show(self) -> None:
        """Show the table, as it was left."""
        self._app.push_screen(DataScreen(self))

    def leave(self) -> None:
        """Back to the text."""
        self._app.pop_screen()

    def show_help(self, bindings: Sequence[BindingType]) -> None:
        """Show the keys of a screen."""
        self._app.show_keys(bindings)

    def reopen(self) -> None:
        """Read the file anew, in which an edited row may be the same; `bad_request` if it cannot be read any more."""
        self.data.reopen()
        self.job.drop()
        self.notice = ""
        self._run(partial(asyncio.to_thread, self.data.find), "find")

    # -- the row that is edited -------------------------------------------------------------------

    def name_of(self, row: int) -> str:
        """A row as it is named above its texts."""
        return f"row {row:,} of {self.data.path.name}"

    def edit(self, row: int) -> None:
        """Open a row: one text in the editor, more of them on a screen of their own."""
        self._run(partial(self._edit, row), "edit", exclusive=True)

    async def _edit(self, row: int) -> None:
        if self.unsaved:
            fate = await self._app.push_screen_wait(Unsaved(self.unsaved))
            if fate is None or (fate == "save" and not await self.write()):
                return
        try:
            draft = self.editing.open(row)
        except SaliscopeError as error:
            self._app.complain(error)
            return
        if not draft.is_one_text:
            self._row_screen = RowScreen(self, draft)
            self._app.push_screen(self._row_screen)
            return
        self.leave()
        self.editing.taken = self._app.show_record(next(iter(draft.texts.values())), self.name_of(row))

    @property
    def is_in_editor(self) -> bool:
        """Whether the editor has the text of a row."""
        return self.editing.draft is not None and self.editing.draft.is_one_text

    @property
    def unsaved(self) -> str:
        """The name of the row that was edited and is not written; empty where there is none."""
        if self.editing.draft is None:
            return ""
        if self._row_screen is not None:
            is_other = self._row_screen.is_edited
        else:
            is_other = self._app.main.editor.text != self.editing.taken
        return self.name_of(self.editing.draft.row) if is_other else ""

    def stop_editing(self) -> None:
        """No row is edited any more."""
        self.editing.close()
        self._row_screen = None

    def save(self) -> None:
        """Write the text of the row in the editor back to its file, meanwhile."""

        async def write() -> None:
            await self.write()

        self._run(write, "save")

    async def write(self) -> bool:
        """Write the row that is edited back to its file; whether it is there."""
        if self._row_screen is not None:
            return await self._row_screen.write()
        draft, text = self.editing.draft, self._app.main.editor.text
        assert draft is not None
        if text == self.editing.taken:
            self._app.notify("Nothing has changed.")
            return True
        if await self.put(dict.fromkeys(draft.texts, text)) is None:
            return False
        self.editing.taken = text
        return True

    async def put(self, change: Texts | Sequence[Turn]) -> Draft | None:
        """Write the row that is edited back; None where that cannot be, and the reader was told why."""
        try:
            draft = await self.editing.put(change)
        except SaliscopeError as error:
            self._app.complain(error)
            return None
        self.told()
        self._app.notify(f"Wrote row {draft.row:,} of {self.data.path}.", markup=False)
        return draft

    # -- the job ----------------------------------------------------------------------------------

    def find_job(self) -> None:
        """Take up a job about this file, once a connection is there."""
        if not self._is_found:
            self._is_found = True
            self._run(self._find_job, "job", exclusive=True)

    async def _find_job(self) -> None:
        try:
            if await self.job.find():
                await self._followed()
        except SaliscopeError as error:
            self._is_found = False
            self._app.desk.note(f"jobs: {error.code}", "error")

    def _follow(self) -> None:
        self._run(self._followed, "job", exclusive=True)

    async def _followed(self) -> None:
        models, model = self._app.desk.models, self.choices.model or BUNDLED[0]
        self.job.classes = next((one.labels for one in models if one.name == model and one.labels), ())
        try:
            if not self.job.classes:
                self.job.classes = (await self._app.desk.client.load_model(model)).labels
            await self.job.follow(self.choices)
        except SaliscopeError as error:
            self._app.complain(error)
        self.told()

    async def take_from_job(self, rows: Sequence[int]) -> None:
        """Take the scores of rows over from the job, where they were found in the way that is chosen now."""
        job, choices = self.job.job, self.choices
        if job is None or not self.job.fits(choices) or choices.method not in (None, job.method):
            return
        wanted = [row for row in rows if self.data.look_at(row) is None and row in self.data.known]
        looks = await asyncio.to_thread(lambda: [(row, self.job.look(row)) for row in wanted])
        for row, look in looks:
            record = self.data.record(row)
            # A row that was edited since has other words.
            if look is not None and (record.pair or record.messages or record.text == look.painting.text):
                self.data.look(row, look)
        if looks:
            self.told()

    def show_job(self) -> None:
        """Show how the job is, or ask for a new one."""
        self._run(self._show_job, "dialog", exclusive=True)

    async def _show_job(self) -> None:
        path = self.data.path
        screen = JobScreen(partial(list, self.job.line()), self.job.job, self.choices,
                           path.with_name(f"{path.stem}.explained.jsonl"))  # fmt: skip
        wish = await self._app.push_screen_wait(screen)
        try:
            if isinstance(wish, Start):
                await self.job.submit(wish.out, self.choices, **wish.options)
            elif isinstance(wish, Order):
                await self.job.order(wish.what)
            else:
                return
        except SaliscopeError as error:
            self._app.complain(error)
            return
        self.told()
        self._follow()

    def show_classes(self) -> None:
        """Show what the rows say together, if a job has told."""
        if self.job.results is None:
            self._app.notify("A job over all rows tells this when it is done: press b.")
            return
        self._app.push_screen(ClassesScreen(self.job.results, self._app.inks))
