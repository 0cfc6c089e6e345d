"""A list to choose from: type to narrow it down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.fuzzy import FuzzySearch
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from saliscope.render.graphemes import cut, pad
from saliscope.render.text import one_line

#: The widest name beside which notes still line up, in cells.
MAX_NAME = 30
#: Notes of more code points are shown whole below the list.
MAX_NOTE = 48


class Choice(NamedTuple):
    """One thing to choose: its value (None: the daemon's choice), its name and a few words."""

    value: str | None
    name: str
    note: str = ""


class Picker(ModalScreen[Choice | None]):
    """Ends with the chosen one, or None; where `free` says what may be typed, also with what was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel"),
        Binding("down", "move(1)", "Next", show=False, priority=True),
        Binding("up", "move(-1)", "Previous", show=False, priority=True),
    ]

    def __init__(self, title: str, choices: Sequence[Choice], now: str | None = None, free: str = "") -> None:
        super().__init__()
        self._title, self._choices, self._now, self._free = title, choices, now, free
        self._found: list[Choice] = []
        self._search = FuzzySearch()

    def compose(self) -> ComposeResult:
        """A line to type in above the list."""
        with Vertical(classes="dialog"):
            yield Input(placeholder=self._free or "type to search", id="search", compact=True)
            yield OptionList(id="found", compact=True)
            yield Static(id="note", markup=False)
            yield Static("Enter chooses, Esc leaves it as it is", classes="hint")

    def on_mount(self) -> None:
        """Show everything, with what is chosen now highlighted."""
        self.query_one(Vertical).border_title = self._title
        self.query_one("#note").display = any(len(choice.note) > MAX_NOTE for choice in self._choices)
        self._show("")
        values = [choice.value for choice in self._found]
        if self._now in values:
            self.query_one(OptionList).highlighted = values.index(self._now)
        self.query_one(Input).focus()

    def action_move(self, by: int) -> None:
        """Move in the list while typing."""
        options = self.query_one(OptionList)
        if by > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        self._show(event.value.strip())

    @on(Input.Submitted)
    def _submit(self) -> None:
        at = self.query_one(OptionList).highlighted
        if at is not None and at < len(self._found):
            self.dismiss(self._found[at])

    @on(OptionList.OptionHighlighted)
    def _tell(self, event: OptionList.OptionHighlighted) -> None:
        """Show all of a note, of which a row has room for the beginning."""
        self.query_one("#note", Static).update(self._found[event.option_index].note)

    @on(OptionList.OptionSelected)
    def _select(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index])

    def _show(self, query: str) -> None:
        self._found = self._matching(query)
        room = max((len(pad(cut(one.name, MAX_NAME), 0)) for one in self._found), default=0)
        options = self.query_one(OptionList)
        options.set_options([Option(self._row(one, room)) for one in self._found])
        options.highlighted = 0 if self._found else None

    def _matching(self, query: str) -> list[Choice]:
        """The choices that match, the best first; what was typed itself comes last."""
        if not query:
            return list(self._choices)
        scored = [(*self._search.match(query, one.name), one) for one in self._choices]
        hits = [(-score, places[0], len(one.name), one) for score, places, one in scored if score > 0]
        # Of names that match alike, those first that begin with it, and the shorter ones.
        found = [hit[-1] for hit in sorted(hits, key=lambda hit: hit[:-1])]
        if self._free and all(one.value != query for one in found):
            found.append(Choice(query, query, "as typed"))
        return found

    def _row(self, choice: Choice, room: int) -> Text:
        is_now = choice.value == self._now
        row = Text("● " if is_now else "  ", no_wrap=True, overflow="ellipsis")
        row.append(pad(cut(one_line(choice.name), MAX_NAME), room), "bold" if is_now else "")
        return row.append(f"  {choice.note}", "dim") if choice.note else row
