"""Actions that open, keep and hand on: files, exports, the clipboard, another editor, the state of the next time."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace
from textual import work

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation
from saliscope.tui import files, store
from saliscope.tui.exporting import FORMS
from saliscope.tui.external import edited_outside
from saliscope.tui.screens.export import ExportScreen, Wish
from saliscope.tui.stage import Stage


class Keeping(Stage):
    """Everything that reads or writes outside the app."""

    def open_first(self) -> None:
        """Show the file of the command line, else the text of the last time."""
        text, choices = self.kept.text, self.desk.choices
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
            self.main.editor.go(min(self.kept.cursor, len(text)))

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

    def action_save(self) -> None:
        """Write the text to its file."""
        if self.file is None:
            self.notify("This text has no file; it is kept for the next time. `saliscope tui FILE` opens one.")
        else:
            self._write(self.file, self.main.editor.text)

    def _write(self, file: Path, text: str) -> None:
        try:
            files.write_file(file, text)
        except SaliscopeError as error:
            self.complain(error)
        else:
            self.notify(f"Wrote {file}.", markup=False)

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
        """Keep text and choices, and leave."""
        if self.file is None:
            editor = self.main.editor
            self.kept.choices = self.desk.choices
            self.kept.text, self.kept.cursor = editor.text, editor.offset_of_cursor
        self.keep()
        self.exit()

    def keep(self) -> None:
        """Write what is kept for the next time."""
        try:
            store.save(self.kept)
        except OSError as error:
            self.desk.note(f"the state was not kept: {error.strerror}")
