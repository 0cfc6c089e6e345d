"""Actions that open, keep and hand on: files, exports, the clipboard, another editor, the state of the next time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from textual import work

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation
from saliscope.tui import files, store
from saliscope.tui.exporting import FORMS
from saliscope.tui.external import edited_outside
from saliscope.tui.screens.export import ExportScreen, Wish
from saliscope.tui.screens.unsaved import Unsaved
from saliscope.tui.stage import Stage


class Keeping(Stage):
    """Everything that reads or writes outside the app; with `keeps` it leaves its state for the next session."""

    def __init__(self, *args: Any, keeps: bool = True, **options: Any) -> None:
        super().__init__(*args, **options)
        self._keeps, self._keeping = keeps, asyncio.Lock()
        #: Those of what was kept last.
        self._kept_signs: tuple[Any, ...] = ()
        #: The text as its file has it.
        self._written = ""

    def open_first(self) -> None:
        """Show the file of the command line, else the text of the last time."""
        text, choices = self.kept.text, self.desk.choices
        if self.file is not None:
            try:
                opened = files.read_file(self.file)
            except SaliscopeError as error:
                self.complain(error)
                self.file, choices = None, self.kept.choices
            else:
                text, choices = opened.text, replace(choices, format=opened.format)
        if self.file is None:
            choices = replace(choices, format=choices.format or "text")
        self.desk.choices = choices
        self.show_text(text)
        if self.file is None:
            self.main.editor.go(min(self.kept.cursor, len(text)))
        self._kept_signs, self._written = self.signs(), self.main.editor.text

    @work(exclusive=True, group="dialog")
    async def action_export(self) -> None:
        """Write the explanation at the cursor, or copy it."""
        explanation = self.explained()
        if explanation is None:
            return
        stem = self.file.stem if self.file is not None else "saliscope"
        wish = await self.push_screen_wait(ExportScreen(FORMS, stem))
        if wish is not None:
            self._fulfil(wish, explanation)

    def action_copy(self, form: str) -> None:
        """Copy the explanation at the cursor in one of the forms."""
        explanation = self.explained()
        if explanation is not None:
            self._fulfil(Wish(next(one for one in FORMS if one.name == form), None), explanation)

    def _fulfil(self, wish: Wish, explanation: Explanation) -> None:
        made = wish.form.make(explanation, self.inks.palette)
        if wish.file is None:
            self.copy_to_clipboard(made)
            self.notify(f"Copied as {wish.form.name}.")
        else:
            self._write(Path(wish.file).expanduser(), made)

    async def action_save(self) -> None:
        """Write the text to its file."""
        if self.file is None:
            self.notify("This text has no file; it is kept for the next time. `saliscope tui FILE` opens one.")
        else:
            await self.write()

    def _write(self, file: Path, text: str) -> bool:
        try:
            files.write_file(file, text)
        except SaliscopeError as error:
            self.complain(error)
            return False
        self.notify(f"Wrote {file}.", markup=False)
        return True

    def action_external(self) -> None:
        """Edit the text in the editor that the environment names."""
        suffix = self.file.suffix if self.file is not None else ".txt"
        editor = self.main.editor
        try:
            with self.suspend():
                text = edited_outside(editor.text, suffix)
        except SaliscopeError as error:
            self.complain(error)
            return
        if text != editor.text:
            # As an edit, so that it can be undone.
            editor.replace(text, (0, 0), editor.document.end)

    async def action_quit(self) -> None:
        """Keep text and choices, and leave; what was not written to its file is asked about."""
        if self.unsaved:
            self._ask_and_quit()
        else:
            await self._quit()

    @work(exclusive=True, group="quit")
    async def _ask_and_quit(self) -> None:
        fate = await self.push_screen_wait(Unsaved(self.unsaved))
        if fate == "drop" or (fate == "save" and await self.write()):
            await self._quit()

    async def _quit(self) -> None:
        if self._keeps:
            async with self._keeping:
                await self._keep()
        self.exit()

    @property
    def unsaved(self) -> str:
        """The name of what was edited and not written to its file; empty where there is nothing."""
        is_other = self.file is not None and self.main.editor.text != self._written
        return self.file.name if self.file is not None and is_other else ""

    async def write(self) -> bool:
        """Write what was edited to its file; whether that was possible."""
        text = self.main.editor.text
        if self.file is None or not self._write(self.file, text):
            return False
        self._written = text
        return True

    @property
    def is_own_text(self) -> bool:
        """Whether the text of the editor is the one that is kept, and not that of a file."""
        return self.file is None

    def left_behind(self) -> dict[str, Any]:
        """What the next session is to find: fields of `Kept`; those that are left out stay."""
        changes: dict[str, Any] = {"palette": self.kept.palette, "ground": self.kept.ground}
        if self.is_own_text:
            text = self.main.editor.text
            if len(text) > store.MOST_TEXT:
                self.desk.note(f"a text of more than {store.MOST_TEXT:,} characters is not kept", "warning")
                text = ""
            changes |= {"choices": self.desk.choices, "text": text, "cursor": self.main.editor.offset_of_cursor}
        return changes

    def signs(self) -> tuple[Any, ...]:
        """Are others when there is something new to keep."""
        return self.num_edits, self.desk.choices, self.kept.palette, self.kept.ground

    @work(group="keep")
    async def keep_on(self) -> None:
        """Keep what is new, so that it is there when this process is not."""
        if not self._keeps or self._keeping.locked() or self.signs() == self._kept_signs:
            return
        async with self._keeping:
            await self._keep()

    async def _keep(self) -> None:
        self._kept_signs = self.signs()
        try:
            await asyncio.to_thread(store.update, self.left_behind())
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else type(error).__name__
            self.desk.note(f"the state was not kept: {said}", "error")
