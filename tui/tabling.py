"""Actions on files of rows and on prompts: their screens, and the record that is edited."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace
from textual.binding import BindingType

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import Fields
from saliscope.tui.data.room import DataRoom
from saliscope.tui.keeping import Keeping
from saliscope.tui.keys import keys_of
from saliscope.tui.looking import Looking
from saliscope.tui.prompt.kept import kept_of, prompt_of
from saliscope.tui.prompt.state import Prompt, Said
from saliscope.tui.screens.help import Help
from saliscope.tui.screens.prompt import PromptScreen
from saliscope.tui.store import Kept

#: Fields of a table by their usual names.
NAMELESS: Final = Fields()


class Tabling(Looking, Keeping):
    """With a file of rows the editor has one record of it, or the text of before; what is saved goes to its row."""

    def __init__(
        self, kept: Kept, *, file: Path | None = None, in_table: bool = False, fields: Fields = NAMELESS, **options: Any
    ) -> None:
        super().__init__(kept, file=file, **options)
        #: The file of rows that is open.
        self.room: DataRoom | None = None
        self.prompt = prompt_of(kept.prompt)
        self._in_table, self._fields = in_table, fields

    def open_first(self) -> None:
        """Show the file of the command line, in the editor or in the table."""
        if self._in_table and self.file is not None:
            self._open_table(self.file)
            self.file = None
        super().open_first()
        if self.room is not None:
            self.room.show()

    def _open_table(self, path: Path) -> None:
        try:
            self.room = DataRoom(self, path, self._fields)
        except SaliscopeError as error:
            self.complain(error)

    def action_table(self) -> None:
        """Show the table that is open, or the file of the editor in one; one that cannot be opened stays there."""
        has_file = self.file is not None
        if self.room is None and self.file is not None:
            self._open_table(self.file)
        if self.room is not None:
            self.file = None
            self.room.show()
        elif not has_file:
            self.notify("There is no file of rows here; `saliscope tui FILE` opens one.")

    def action_rows(self) -> None:
        """Show the file of rows in its table; without one, the records of the text."""
        if self.room is not None:
            self.room.show()
        else:
            self.action_records()

    def show_record(self, text: str, title: str) -> str:
        """Lay the text of a row on the desk; what became of it, as line breaks are made alike."""
        self.main.editor.border_title = title
        self.desk.choices = replace(self.desk.choices, format="text")
        self.show_text(text)
        self.main.editor.focus()
        return self.main.editor.text

    async def action_save(self) -> None:
        """Write the text to its file, a record to its row."""
        if self.room is not None and self.room.is_in_editor:
            self.room.save()
        else:
            await super().action_save()

    @property
    def unsaved(self) -> str:
        """A row, too."""
        return (self.room.unsaved if self.room is not None else "") or super().unsaved

    async def write(self) -> bool:
        """A row, too."""
        return await (self.room.write() if self.room is not None and self.room.unsaved else super().write())

    @property
    def is_own_text(self) -> bool:
        """A record is not the text of the next time."""
        return self.room is None and super().is_own_text

    def left_behind(self) -> dict[str, Any]:
        """The prompt, too, if it was looked at."""
        changes = super().left_behind()
        if self.prompt is not None and not self.prompt.is_kept:
            kept = kept_of(self.prompt)
            if not self.prompt.is_empty and (kept is None or len(kept.messages) < len(self.prompt.messages)):
                self.desk.note("the prompt is too long to be kept whole", "warning")
            changes["prompt"] = kept
        return changes

    def signs(self) -> tuple[Any, ...]:
        """Those of the prompt, too."""
        prompt = self.prompt
        if prompt is None:
            return super().signs()
        said = tuple((one.role, one.content) for one in prompt.messages)
        wishes = prompt.model, prompt.is_plain, prompt.max_tokens, prompt.temperature, prompt.seed
        return *super().signs(), said, wishes

    async def on_unmount(self) -> None:
        """Let go of the file."""
        if self.room is not None:
            self.room.data.close()

    def action_prompt(self) -> None:
        """Show the prompt; a new one begins with the text of the editor."""
        if self.prompt is None:
            self.prompt = self._new_prompt()
        self.push_screen(PromptScreen(self.prompt, self.inks))

    def action_new_prompt(self) -> None:
        """Begin a new prompt in the place of the one that is shown."""
        self.prompt = self._new_prompt()
        self.switch_screen(PromptScreen(self.prompt, self.inks))

    def _new_prompt(self) -> Prompt:
        return Prompt([Said("user", self.main.editor.text)])

    def show_chat(self, messages: list[Said]) -> None:
        """Show messages as a prompt, in the place of the one of before."""
        self.prompt = Prompt(messages)
        self.push_screen(PromptScreen(self.prompt, self.inks))

    def show_keys(self, bindings: Sequence[BindingType]) -> None:
        """Show the keys of a screen."""
        self.push_screen(Help(keys_of(bindings)))
