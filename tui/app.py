"""The app: every room of actions on one stage, with its looks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import ClassVar, Final

from textual.binding import Binding
from textual.command import Provider

from saliscope.tui import keymap
from saliscope.tui.choosing import Choosing
from saliscope.tui.commands import Commands
from saliscope.tui.keys import key_name, keys_of
from saliscope.tui.screens.help import Help
from saliscope.tui.screens.log import LogScreen
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.tabling import Tabling
from saliscope.tui.widgets.editor import Editor
from saliscope.tui.widgets.strongest import Strongest

#: How often the daemon is asked how it is, and what is new is kept for the next session, in seconds.
ASK_EVERY_S: Final = 2.0
KEEP_EVERY_S: Final = 2.0


class TuiApp(Choosing, Tabling):
    """A text, coloured while it is typed."""

    TITLE = "saliscope"
    CSS_PATH = "styles.tcss"
    # Textual declares it as an instance's.
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (100, "-wide"), (120, "-broad"), (160, "-vast")]  # noqa: RUF012
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {Commands}

    def get_key_display(self, binding: Binding) -> str:
        """A key as people read it."""
        return binding.key_display or key_name(binding.key)

    async def on_mount(self) -> None:
        """Open the text; the connection is made meanwhile."""
        self._own_keys = self._rebind()
        await self.push_screen(self.main)
        self.desk.note("connecting to the daemon")
        self.open_first()
        self.connect()
        self.set_interval(ASK_EVERY_S, self.ask_status)
        self.set_interval(KEEP_EVERY_S, self.keep_on)

    def _rebind(self) -> dict[str, str]:
        """Give commands the keys that the reader wants for them, and tell of those that cannot be."""
        bindings = ([one for one in of.BINDINGS if isinstance(one, Binding)] for of in (MainScreen, Editor, Strongest))
        commands, *others = bindings
        found = keymap.load(commands, chain.from_iterable(others))
        self.set_keymap(found.keys)
        for problem in found.problems:
            self.desk.note(f"keys: {problem}", "warning")
            self.notify(problem, title=keymap.path().name, severity="warning", markup=False)
        return found.keys

    def action_help(self) -> None:
        """Show every key."""
        bindings = [*MainScreen.BINDINGS, *Editor.BINDINGS, *Strongest.BINDINGS]
        self.push_screen(Help(keys_of(bindings, self._own_keys)))

    def action_log_screen(self) -> None:
        """Show what happened so far."""
        self.push_screen(LogScreen(self.desk.diary))

    async def on_unmount(self) -> None:
        """Close the connection."""
        await self.desk.session.stop()
