"""What happened so far, newest last: by level, searched, followed, copied; never anything of the text."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from saliscope.tui.diary import LEVELS, Diary, Entry, Level, chosen

#: How often it is looked for new entries, in seconds.
EVERY_S: Final = 0.5
#: The sign of each level, which is told from the others without its colour.
SIGNS: Final[dict[Level, str]] = {"info": "·", "warning": "▲", "error": "✕"}
#: What is shown from each level on.
FLOORS: Final[dict[Level, str]] = {"info": "all", "warning": "warnings and errors", "error": "errors"}


class LogScreen(ModalScreen[None]):
    """The entries of a diary, and those that come while it is open."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--info", "log--warning", "log--error"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "level", "Level", tooltip="All, warnings and errors, or errors alone"),
        Binding("slash", "search", "Search", key_display="/", tooltip="Narrow down to entries with these words"),
        Binding("f", "follow", "Follow", tooltip="Stay at the newest entry, or stop doing so"),
        Binding("y,c", "copy", "Copy", tooltip="Copy the entry at the cursor"),
        Binding("Y,C", "copy_all", "Copy all", tooltip="Copy every entry that is shown"),
        Binding("down", "from_search", show=False),
        Binding("escape,q", "back", "Back", tooltip="From the search to the entries, from the entries to the text"),
        Binding("f12", "dismiss", show=False),
    ]

    def __init__(self, diary: Diary) -> None:
        super().__init__()
        self._diary = diary
        self._least: Level = "info"
        self._query, self._follows = "", True
        self._seen: tuple[object, ...] = ()
        self._entries: list[Entry] = []

    def compose(self) -> ComposeResult:
        """The entries between what is shown of them and a line to search in."""
        with Vertical(classes="dialog wide", id="log"):
            yield Static(id="log-summary", markup=False)
            yield OptionList(id="log-entries", compact=True)
            yield Input(placeholder="narrow down: words of an entry", id="log-search", compact=True)
            yield Static("l level · / search · f follow · y copy · Y copy all · Esc closes", classes="hint")

    def on_mount(self) -> None:
        """Show the newest, and what comes."""
        self.query_one("#log").border_title = "Log"
        self.query_one("#log-search").display = False
        self.show()
        self.query_one(OptionList).focus()
        self.set_interval(EVERY_S, self.show)

    def show(self) -> None:
        """Show the entries anew if there are others to show; the cursor stays on its entry, or at the newest."""
        wanted = (self._diary.count, self._least, self._query)
        if wanted != self._seen:
            self._seen = wanted
            options, at = self.query_one(OptionList), self._here
            self._entries = chosen(self._diary, self._least, self._query)
            options.set_options([Option(self._drawn(entry)) for entry in self._entries])
            places = [number for number, entry in enumerate(self._entries) if entry is at]
            last = len(self._entries) - 1 if self._entries else None
            options.highlighted = last if self._follows or not places else places[0]
        how = "following" if self._follows else "not following"
        summary = f"{FLOORS[self._least]} · {len(self._entries)} of {len(list(self._diary))} · {how}"
        self.query_one("#log-summary", Static).update(summary)

    @property
    def _here(self) -> Entry | None:
        """The entry at the cursor."""
        at = self.query_one(OptionList).highlighted
        return None if at is None or at >= len(self._entries) else self._entries[at]

    def _drawn(self, entry: Entry) -> Text:
        style = self.get_component_rich_style(f"log--{entry.level}", partial=True)
        drawn = Text.assemble((f"{entry.clock} ", "dim"), (f"{SIGNS[entry.level]} ", style))
        if entry.level != "info":
            drawn.append(f"{entry.level} ", style)
        return drawn.append(" ".join(entry.said.split()), style)

    # -- keys -------------------------------------------------------------------------------------

    def action_level(self) -> None:
        """From all to the more urgent ones, and back to all."""
        self._least = LEVELS[(LEVELS.index(self._least) + 1) % len(LEVELS)]
        self.show()

    def action_follow(self) -> None:
        """Stay at the newest entry, or no longer."""
        self._follows = not self._follows
        if self._follows:
            self.query_one(OptionList).action_last()
        self.show()

    @on(OptionList.OptionHighlighted)
    def _moved(self, event: OptionList.OptionHighlighted) -> None:
        """Who goes up wants to read; who is at the end again wants what comes."""
        # Not by the event's place: entries may have come since it was sent.
        self._follows = event.option_list.highlighted == len(self._entries) - 1
        self.show()

    def action_search(self) -> None:
        """Narrow down while typing."""
        line = self.query_one(Input)
        line.display = True
        line.focus()

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        self._query = event.value
        self.show()

    @on(Input.Submitted)
    def action_from_search(self) -> None:
        """To what was found."""
        self.query_one(OptionList).focus()

    def action_copy(self) -> None:
        """Copy the entry at the cursor."""
        self._copy([] if self._here is None else [self._here])

    def action_copy_all(self) -> None:
        """Copy what is shown."""
        self._copy(self._entries)

    def _copy(self, entries: list[Entry]) -> None:
        if entries:
            self.app.copy_to_clipboard("\n".join(entry.line for entry in entries))
            self.notify(f"Copied {len(entries)} {'entry' if len(entries) == 1 else 'entries'}.")

    def action_back(self) -> None:
        """From the search to all entries, from the entries to the text."""
        line = self.query_one(Input)
        if not line.display:
            self.dismiss(None)
            return
        line.value, line.display = "", False
        self.query_one(OptionList).focus()
