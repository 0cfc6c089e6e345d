"""The app: session, text and choices between the desk, the main screen and the dialogs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Final

from msgspec.structs import replace
from textual import on, work
from textual.app import App
from textual.binding import Binding
from textual.command import Provider
from textual.message import Message

from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.live import LiveDocument, LiveSession, SessionState
from saliscope.protocol.results import Explanation
from saliscope.protocol.targets import read_target
from saliscope.render.ansi import Depth, depth_of, theme_of
from saliscope.render.palettes import CHROME, PALETTES, Theme
from saliscope.tui import files, store
from saliscope.tui.choices import Choices
from saliscope.tui.commands import Commands
from saliscope.tui.contest import Contender
from saliscope.tui.desk import Desk, Here
from saliscope.tui.exporting import FORMS
from saliscope.tui.external import edited_outside
from saliscope.tui.inks import Inks
from saliscope.tui.keys import key_name, keys_of
from saliscope.tui.picking import Question, chosen, method_of, question
from saliscope.tui.records import rows_of
from saliscope.tui.screens.compare import CompareScreen
from saliscope.tui.screens.export import ExportScreen, Wish
from saliscope.tui.screens.form import ParameterForm
from saliscope.tui.screens.help import Help
from saliscope.tui.screens.layers import LayersScreen
from saliscope.tui.screens.log import LogScreen
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.picker import Choice, Picker
from saliscope.tui.screens.records import RecordsScreen
from saliscope.tui.store import Kept
from saliscope.tui.themes import theme_name, themes
from saliscope.tui.widgets.editor import Editor
from saliscope.tui.widgets.strongest import Strongest

#: How often the daemon is asked how it is, in seconds.
ASK_EVERY_S: Final = 2.0
#: The method that tells of every layer in one pass.
LAYERED: Final = "decoded-grad-cam"
#: What a text without a file is called.
SCRATCH: Final = "text"

MakeSession = Callable[..., LiveSession]


class TuiApp(App[None]):
    """A text, coloured while it is typed."""

    TITLE = "saliscope"
    CSS_PATH = "styles.tcss"
    # Textual declares it as an instance's.
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {Commands}

    class News(Message):
        """Something on the desk is otherwise."""

    def __init__(
        self,
        kept: Kept,
        *,
        file: Path | None = None,
        depth: Depth | None = None,
        make_session: MakeSession = LiveSession,
    ) -> None:
        ground: Theme = "light" if (kept.ground or theme_of(os.environ)) == "light" else "dark"
        # Asked before Textual takes NO_COLOR out of the environment.
        self.inks = Inks(PALETTES[kept.palette], ground, depth or depth_of(os.environ, is_tty=True))
        super().__init__()
        self._kept, self.file = kept, file
        self.desk = Desk(make_session(on_change=self._on_records, on_state=self._on_session), kept.choices)
        self._has_news = False
        self._main = MainScreen(self.desk, self.inks)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What the style sheet needs before one of our themes is there."""
        return {"quiet": CHROME[self.inks.theme].quiet, "line": CHROME[self.inks.theme].line}

    def get_key_display(self, binding: Binding) -> str:
        """A key as people read it."""
        return key_name(binding.key)

    async def on_mount(self) -> None:
        """Open the text; the connection is made meanwhile."""
        for theme in themes():
            self.register_theme(theme)
        self.theme = theme_name(self.inks.palette.name, self.inks.theme)
        await self.push_screen(self._main)
        self.desk.note("connecting to the daemon")
        self._open_first()
        self._connect()
        self.set_interval(ASK_EVERY_S, self._ask_status)

    def _open_first(self) -> None:
        text, choices = self._kept.text, self.desk.choices
        if self.file is not None:
            try:
                opened = files.read_file(self.file)
            except SaliscopeError as error:
                self.complain(error)
                self.file = None
            else:
                text, choices = opened.text, replace(choices, format=opened.format)
        if self.file is None:
            choices = replace(choices, format=choices.format or "text")
        self.desk.choices = choices
        self.show_text(text)
        if self.file is None:
            self._main.editor.go(min(self._kept.cursor, len(text)))

    def show_text(self, text: str) -> None:
        """Lay another text on the desk."""
        taken = self._main.take(text)
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
        self.show_news()

    # -- the session ------------------------------------------------------------------------------

    @work(exclusive=True, group="connect")
    async def _connect(self) -> None:
        await self.desk.session.start()

    @work(exclusive=True, group="status")
    async def _ask_status(self) -> None:
        """Ask how the daemon is; the session hears by itself of one that is lost."""
        if self.desk.session.client is None:
            return
        try:
            await self.desk.ask_status()
        except SaliscopeError as error:
            self.desk.note(f"status: {error.code}")
        self.tell()

    def _on_session(self, state: SessionState, message: str) -> None:
        self.desk.heard(state, message)
        if state == "connected" and self.is_running:
            self._ask_status()
        self.tell()

    def _on_records(self, document: LiveDocument, ids: Sequence[int] | None) -> None:
        self.tell()

    def edited(self, edit: Edit) -> None:
        """The editor has made an edit."""
        self.desk.edit(edit)
        self.tell()

    def tell(self) -> None:
        """Have the widgets show what is new, once for all that comes until then."""
        if not self._has_news and self.is_running:
            self._has_news = True
            self.post_message(self.News())

    @on(News)
    def show_news(self) -> None:
        """Show what is on the desk now."""
        self._has_news = False
        if self._main.is_mounted:
            self._main.show()

    def complain(self, error: SaliscopeError) -> None:
        """Tell the reader what is wrong and what to do."""
        self.desk.note(f"{error.code}: {error.message}")
        self.notify(f"{error.message}\n{error.advice}", title=error.code.replace("_", " "), severity="warning",
                    markup=False)  # fmt: skip

    # -- choices ----------------------------------------------------------------------------------

    @work(exclusive=True, group="dialog")
    async def action_pick(self, name: str) -> None:
        """Open the picker of a choice."""
        if name == "colours":
            now = theme_name(self.inks.palette.name, self.inks.theme)
            rows = [Choice(theme_name(palette, ground), f"{palette} on {ground}") for palette in PALETTES
                    for ground in ("dark", "light")]  # fmt: skip
            picked = await self.push_screen_wait(Picker("Colours", rows, now))
            if picked is not None and picked.value is not None:
                self.colour(picked.value)
            return
        asked = await self._question(name)
        picked = await self.push_screen_wait(Picker(asked.title, asked.choices, asked.now, asked.free))
        if picked is not None:
            self.choose(chosen(self.desk.choices, name, picked.value))

    async def _question(self, name: str) -> Question:
        """The picker of a choice, with what is known now."""
        try:
            await self.desk.look_up()
        except SaliscopeError as error:
            self.complain(error)
        return self._asked(name)

    def _asked(self, name: str) -> Question:
        desk = self.desk
        return question(name, desk.choices, desk.models, desk.methods, desk.model())

    def choose(self, choices: Choices) -> None:
        """Explain it otherwise."""
        try:
            self.desk.choose(choices)
        except SaliscopeError as error:
            self.complain(error)
        self.tell()

    def colour(self, name: str) -> None:
        """Take the palette and the ground of a theme of ours."""
        for palette in PALETTES.values():
            grounds: tuple[Theme, ...] = ("dark", "light")
            for ground in grounds:
                if theme_name(palette.name, ground) == name:
                    self.inks = self.inks._replace(palette=palette, theme=ground)
        self.theme = name
        self._kept.palette, self._kept.ground = self.inks.palette.name, self.inks.theme
        self._main.ink(self.inks)

    @work(exclusive=True, group="dialog")
    async def action_parameters(self) -> None:
        """Open the form with the parameters of the method."""
        await self._question("method")
        desk = self.desk
        name = method_of(self._main.here.explanation, desk.choices, desk.model())
        method = next((one for one in desk.methods if one.name == name), None)
        if method is None:
            self.notify("It is not known yet which method explains; choose one with F3.")
            return
        params = await self.push_screen_wait(ParameterForm(method, desk.choices.params))
        if params is not None:
            self.choose(replace(desk.choices, method=method.name, params=params))

    # -- masks and comparisons --------------------------------------------------------------------

    def mask(self, here: Here) -> None:
        """Leave a feature out, or take it in again."""
        try:
            self.desk.mask(here)
        except SaliscopeError as error:
            self.complain(error)
            return
        self.show_news()
        self._ask_without()

    def action_unmask(self) -> None:
        """Take everything in again."""
        self.desk.unmask()
        self.tell()

    @work(exclusive=True, group="mask")
    async def _ask_without(self) -> None:
        try:
            await self.desk.ask_without()
        except SaliscopeError as error:
            self.complain(error)
        self.tell()

    @work(exclusive=True, group="dialog")
    async def action_compare(self) -> None:
        """Put methods side by side on the text at the cursor."""
        here = self._main.here
        if here.explanation is None:
            self.notify("There is nothing explained at the cursor.")
            return
        await self._question("method")
        explanation, choices = here.explanation, self.desk.choices

        async def explain(contender: Contender) -> Explanation:
            # A target of one model may mean nothing to another.
            is_same = contender.model in (None, explanation.model)
            return await self.desk.client.explain(
                explanation.text,
                model=contender.model,
                method=contender.method,
                target=read_target(choices.target) if is_same and choices.target != "gold" else None,
                granularity=choices.granularity,
                params=choices.params if contender.method == choices.method and is_same else None,
                priority="interactive",
            )

        first = Contender(explanation.model, explanation.method)
        await self.push_screen(CompareScreen([first], explain, self._asked, self.inks))

    @work(exclusive=True, group="dialog")
    async def action_layers(self) -> None:
        """Show what each layer makes of the text at the cursor, and explain with the one that is chosen."""
        found, choices = self._explained(), self.desk.choices
        if found is None:
            return

        async def explain() -> Explanation:
            return await self.desk.client.explain(
                found.text, model=found.model, method=LAYERED, target=read_target(choices.target),
                granularity=choices.granularity, params={"layers": "all"}, priority="interactive",
            )  # fmt: skip

        layer = await self.push_screen_wait(LayersScreen(explain, self.inks))
        if layer is not None:
            self.choose(replace(choices, model=found.model, method=LAYERED, params={"layer": layer}))

    @work(exclusive=True, group="dialog")
    async def action_records(self) -> None:
        """Show the records in a table, and go to the one that is chosen."""
        document = self.desk.document
        if document is None:
            return

        def text_at(start: int) -> str:
            record = document.record_at(start)
            return "" if record is None else document.text[record.start : min(record.end, record.start + 400)]

        place = await self.push_screen_wait(RecordsScreen(lambda: rows_of(document.records), text_at))
        if place is not None:
            self._main.editor.go(place)

    # -- files ------------------------------------------------------------------------------------

    @work(exclusive=True, group="dialog")
    async def action_export(self) -> None:
        """Write the explanation at the cursor, or copy it."""
        explanation = self._explained()
        if explanation is None:
            return
        stem = self.file.stem if self.file is not None else "saliscope"
        wish = await self.push_screen_wait(ExportScreen(FORMS, stem))
        if wish is not None:
            self._fulfil(wish, explanation)

    def _fulfil(self, wish: Wish, explanation: Explanation) -> None:
        made = wish.form.make(explanation, self.inks.palette)
        if wish.file is None:
            self.copy_to_clipboard(made)
            self.notify(f"Copied as {wish.form.name}.")
            return
        try:
            files.write_file(Path(wish.file).expanduser(), made)
        except SaliscopeError as error:
            self.complain(error)
            return
        self.notify(f"Wrote {wish.file}.", markup=False)

    def action_copy(self, form: str) -> None:
        """Copy the explanation at the cursor in one of the forms."""
        explanation = self._explained()
        if explanation is not None:
            self._fulfil(Wish(next(one for one in FORMS if one.name == form), None), explanation)

    def _explained(self) -> Explanation | None:
        explanation = self._main.here.explanation
        if explanation is None:
            self.notify("There is nothing explained at the cursor.")
        return explanation

    def action_save(self) -> None:
        """Write the text to its file."""
        if self.file is None:
            self.notify("This text has no file; it is kept for the next time. `saliscope tui FILE` opens one.")
            return
        try:
            files.write_file(self.file, self._main.editor.text)
        except SaliscopeError as error:
            self.complain(error)
        else:
            self.notify(f"Wrote {self.file}.", markup=False)

    def action_external(self) -> None:
        """Edit the text in the editor that the environment names."""
        suffix = self.file.suffix if self.file is not None else ".txt"
        editor = self._main.editor
        try:
            with self.suspend():
                text = edited_outside(editor.text, suffix)
        except SaliscopeError as error:
            self.complain(error)
            return
        if text != editor.text:
            # As an edit, so that it can be undone.
            editor.replace(text, (0, 0), editor.document.end)

    # -- help, log, the end -----------------------------------------------------------------------

    def action_help(self) -> None:
        """Show every key."""
        self.push_screen(Help(keys_of([*MainScreen.BINDINGS, *Editor.BINDINGS, *Strongest.BINDINGS])))

    def action_log_screen(self) -> None:
        """Show what happened so far."""
        self.push_screen(LogScreen(self.desk.log))

    @property
    def is_explained(self) -> bool:
        """Whether the text at the cursor, as it is now, has its last explanation."""
        record = self._main.here.record
        return record is not None and record.state == "final"

    async def action_quit(self) -> None:
        """Keep text and choices, and leave."""
        if self.file is None:
            editor = self._main.editor
            self._kept.choices = self.desk.choices
            self._kept.text, self._kept.cursor = editor.text, editor.offset_of_cursor
        try:
            store.save(self._kept)
        except OSError as error:
            self.desk.note(f"the state was not kept: {error.strerror}")
        self.exit()

    async def on_unmount(self) -> None:
        """Close the connection."""
        await self.desk.session.stop()
