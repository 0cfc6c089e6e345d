"""The stage of the app: the session, the one text, and the news of both; the rooms of actions stand on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace
from textual import work
from textual.app import App

from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation
from saliscope.protocol.live import LiveDocument, LiveSession, SessionState
from saliscope.render.ansi import Depth, depth_of, theme_of
from saliscope.render.palettes import PALETTES, Theme
from saliscope.tui.choices import Choices
from saliscope.tui.desk import Desk
from saliscope.tui.inks import Inks
from saliscope.tui.picking import Question, question
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.store import Kept
from saliscope.tui.themes import theme_name, themes

#: What a text without a file is called.
SCRATCH: Final = "text"

MakeSession = Callable[..., LiveSession]


class Stage(App[None]):
    """Carries edits to the session, and what the session says to the main screen.

    `choices` are for a file; without them the text is explained as the last time. `notes` begin the log.
    """

    def __init__(
        self,
        kept: Kept,
        *,
        file: Path | None = None,
        choices: Choices | None = None,
        notes: Iterable[str] = (),
        depth: Depth | None = None,
        make_session: MakeSession = LiveSession,
    ) -> None:
        ground: Theme = "light" if (kept.ground or theme_of(os.environ)) == "light" else "dark"
        # Asked before Textual takes NO_COLOR out of the environment.
        self.inks = Inks(PALETTES[kept.palette], ground, depth or depth_of(os.environ, is_tty=True))
        super().__init__()
        self._dress()
        self.kept, self.file = kept, file
        self.desk = Desk(make_session(on_change=self._on_records, on_state=self._on_session), choices or kept.choices)
        for line in notes:
            self.desk.note(line, "warning")
        #: Counts the edits of the text.
        self.num_edits = 0
        self.main = MainScreen(self.desk, self.inks, self._edited)

    def _dress(self) -> None:
        """Take one of our themes before the style sheet is read: a theme that is set later has it read again."""
        for one in themes():
            self.register_theme(one)
        self.set_reactive(App.theme, theme_name(self.inks.palette.name, self.inks.theme))
        self._invalidate_css()
        self.stylesheet.set_variables(self.get_css_variables())

    # -- the session ------------------------------------------------------------------------------

    @work(exclusive=True, group="connect")
    async def connect(self) -> None:
        """Find or start the daemon."""
        await self.desk.session.start()

    @work(exclusive=True, group="status")
    async def ask_status(self) -> None:
        """Ask how the daemon is; the session hears by itself of one that is lost."""
        if self.desk.session.client is None:
            return
        try:
            await self.desk.ask_status()
        except SaliscopeError as error:
            self.desk.note(f"status: {error.code}", "warning")
        self.tell()

    def _on_session(self, state: SessionState, message: str) -> None:
        self.desk.heard(state, message)
        if state == "connected" and self.is_running:
            self.ask_status()
        self.tell()

    def _on_records(self, document: LiveDocument, ids: Sequence[int] | None) -> None:
        self.tell()

    # -- the text ---------------------------------------------------------------------------------

    def show_text(self, text: str) -> None:
        """Lay another text on the desk."""
        taken = self.main.take(text)
        if taken != text:
            self.notify("Unusual line breaks were made alike.", severity="warning")
        name, path = (SCRATCH, None) if self.file is None else (str(self.file), self.file.absolute())
        try:
            self.desk.open(name, taken, path)
        except SaliscopeError as error:
            # A target from the command line that cannot be read.
            self.complain(error)
            self.desk.choices = replace(self.desk.choices, target=None)
            self.desk.open(name, taken, path)
        self.main.show()

    def _edited(self, edit: Edit) -> None:
        self.num_edits += 1
        self.desk.edit(edit)
        self.tell()

    def choose(self, choices: Choices) -> None:
        """Explain it otherwise."""
        try:
            self.desk.choose(choices)
        except SaliscopeError as error:
            self.complain(error)
        self.tell()

    async def question(self, name: str) -> Question:
        """The picker of a choice, after the daemon was asked for models and methods."""
        try:
            await self.desk.look_up()
        except SaliscopeError as error:
            self.complain(error)
        return self.known_question(name)

    def known_question(self, name: str) -> Question:
        """The picker of a choice, with what is known now."""
        desk = self.desk
        method = desk.method(self.main.here.explanation)
        return question(name, desk.choices, desk.models, desk.methods, desk.model(), method)

    @property
    def is_explained(self) -> bool:
        """Whether the text at the cursor, as it is now, has its last explanation."""
        record, document = self.main.here.record, self.desk.document
        return record is not None and record.state == "final" and document is not None and not document.is_ahead

    def explained(self) -> Explanation | None:
        """The explanation at the cursor; where there is none, the reader is told."""
        explanation = self.main.here.explanation
        if explanation is None:
            self.notify("There is nothing explained at the cursor.")
        return explanation

    def tell(self) -> None:
        """Have the main screen show what is new."""
        self.main.tell()

    def complain(self, error: SaliscopeError) -> None:
        """Tell the reader what is wrong and what to do."""
        code = error.code.replace("_", " ")
        self.desk.note(f"{code}: {error.message}", "error")
        more = error.advice if error.short == error.message else "The log has the whole list."
        self.notify(f"{error.short}\n{more}", title=code, severity="warning", markup=False)
