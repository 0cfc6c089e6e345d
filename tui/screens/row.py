"""A row with more than one text, a pair or a chat: edited in place, in the colours of the model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation
from saliscope.protocol.targets import read_target
from saliscope.tui.data.draft import Draft, Texts, Turn
from saliscope.tui.data.head import show_head
from saliscope.tui.data.scored import look_of
from saliscope.tui.prompt.messages import Messages
from saliscope.tui.prompt.state import Prompt, Said, places
from saliscope.tui.screens.unsaved import Unsaved
from saliscope.tui.widgets.bar import TopBar
from saliscope.tui.widgets.keybar import KeyBar
from saliscope.tui.widgets.legend import Legend
from saliscope.tui.widgets.notice import Notice
from saliscope.tui.widgets.prediction import PredictionBars

if TYPE_CHECKING:
    from saliscope.tui.app import TuiApp
    from saliscope.tui.data.room import DataRoom

#: The reader has not typed for so long, in seconds, before the row is explained.
REST_S: Final = 0.15


class RowScreen(Screen[None]):
    """Edits the texts of a row, of a chat also their roles and order; Ctrl+s writes it back."""

    app: TuiApp

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Write", tooltip="Write the row back to its file"),
        Binding("ctrl+n", "add", "Add", tooltip="A new message below"),
        Binding("ctrl+d", "remove", "Remove", tooltip="Take the message out"),
        Binding("ctrl+t", "turn", "Role", tooltip="Give the message the next role"),
        Binding("alt+up", "move(-1)", "Up", show=False, tooltip="Move the message up"),
        Binding("alt+down", "move(1)", "Down", show=False, tooltip="Move the message down"),
        Binding("ctrl+g", "prompt", "Prompt", tooltip="Open a copy of the chat as a prompt"),
        Binding("f2", "app.pick('model')", "Model", show=False, tooltip="Choose another model"),
        Binding("f3", "app.pick('method')", "Method", show=False, tooltip="Choose another method"),
        Binding("f4", "app.pick('target')", "Target", show=False, tooltip="Choose what is explained"),
        Binding("f6", "app.parameters", "Parameters", show=False, tooltip="Set the parameters of the method"),
        Binding("f1", "help", "Help", tooltip="Every key of the row"),
        Binding("ctrl+q", "app.quit", "Quit", show=False, tooltip="Leave"),
        Binding("escape", "back", "Back", tooltip="Back to the table"),
    ]

    def __init__(self, room: DataRoom, draft: Draft) -> None:
        super().__init__()
        self._room, self._draft = room, draft
        self._prompt = Prompt(_said(draft))
        self._choices = room.choices
        self._explained: Explanation | None = None

    def compose(self) -> ComposeResult:
        """The texts, and what the model says of them beside."""
        inks = self.app.inks
        yield TopBar()
        with Horizontal(id="row"):
            with Vertical(id="row-left"):
                yield Messages(self._prompt, inks, roles_change=self._is_chat, id="messages")
                yield Notice(id="prompt-notice")
                yield Legend(inks, id="prompt-legend")
            with Vertical(id="row-right"):
                yield PredictionBars(inks, id="row-prediction")
        yield KeyBar()

    async def on_mount(self) -> None:
        """Show the row, and ask about it."""
        self.query_one("#messages").border_title = self._room.name_of(self._draft.row)
        self.query_one("#row-prediction").border_title = "Prediction"
        await self.query_one(Messages).build(0)
        self._explain()

    def on_screen_resume(self) -> None:
        """It may be explained otherwise now."""
        if self._room.choices != self._choices:
            self._choices = self._room.choices
            self._explain()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A pair has two texts, and no roles."""
        return self._is_chat or action not in ("add", "remove", "turn", "move", "prompt")

    @property
    def _is_chat(self) -> bool:
        return bool(self._draft.turns)

    # -- what is shown ----------------------------------------------------------------------------

    def _show(self, found: Explanation | None, *, is_waiting: bool = False) -> None:
        if not self.query(Messages):
            return
        self._explained = found
        self.query_one(Messages).paint(found, places(found, len(self._prompt.messages)))
        self.query_one(Legend).show(found, "")
        look = None if found is None else look_of(found)
        show_head(self.query_one(TopBar), self._choices, self.app.desk, look, is_waiting=is_waiting)
        said = None if found is None else found.prediction
        self.query_one(PredictionBars).show(said, "" if found is None else found.target.label)
        self.query_one("#messages").border_subtitle = "edited" if self.is_edited else ""

    @on(Messages.Changed)
    def _changed(self) -> None:
        self._explain()

    @work(exclusive=True, group="explain")
    async def _explain(self) -> None:
        """Show the row in its colours, once the reader rests."""
        self._show(None, is_waiting=True)
        await asyncio.sleep(REST_S)
        choices, texts = self._choices, [one.content for one in self._prompt.messages]
        source: dict[str, Any] = {"text": texts[0], "pair": texts[-1]}
        if self._is_chat:
            source = {"messages": [{"role": one.role, "content": one.content} for one in self._prompt.messages]}
        try:
            found = await self.app.desk.client.explain(
                **source, model=choices.model, method=choices.method, params=choices.params or None,
                granularity=choices.granularity, priority="interactive", supersede="tui-row",
                target=None if choices.target == "gold" else read_target(choices.target),
            )  # fmt: skip
        except SaliscopeError as error:
            if error.code not in ("cancelled", "superseded"):
                self.query_one(Notice).say(f"{error.message}\n{error.advice}")
                self._show(None)
            return
        self.query_one(Notice).say("")
        self._show(found)

    # -- editing ----------------------------------------------------------------------------------

    async def action_add(self) -> None:
        """A new message behind this one."""
        await self.query_one(Messages).add()

    async def action_remove(self) -> None:
        """Take this message out."""
        await self.query_one(Messages).remove_here()

    async def action_move(self, by: int) -> None:
        """Let this message and its neighbour change places."""
        await self.query_one(Messages).move(by)

    async def action_turn(self) -> None:
        """Give this message the next role."""
        await self.query_one(Messages).turn()

    # -- writing ----------------------------------------------------------------------------------

    @property
    def _change(self) -> Texts | list[Turn]:
        messages = self._prompt.messages
        if self._is_chat:
            return [Turn(one.role, one.content, one.source) for one in messages]
        return {field: one.content for field, one in zip(self._draft.texts, messages, strict=True)}

    @property
    def is_edited(self) -> bool:
        """Whether there is something to be written."""
        return self._change != (list(self._draft.turns) if self._is_chat else self._draft.texts)

    @work(exclusive=True, group="save")
    async def action_save(self) -> None:
        """Write the row back to its file."""
        await self.write()

    async def write(self) -> bool:
        """Write the row back; whether it is there."""
        if not self.is_edited:
            self.notify("Nothing has changed.")
            return True
        draft = await self._room.put(self._change)
        if draft is None:
            return False
        self._draft = draft
        for number, one in enumerate(self._prompt.messages):
            one.source = number
        self.query_one("#messages").border_subtitle = ""
        return True

    @work(exclusive=True, group="leave")
    async def action_back(self) -> None:
        """Back to the table; what was not written is asked about."""
        if self.is_edited:
            fate = await self.app.push_screen_wait(Unsaved(self._room.name_of(self._draft.row)))
            if fate is None or (fate == "save" and not await self.write()):
                return
        self._room.stop_editing()
        self.app.pop_screen()

    def action_prompt(self) -> None:
        """Open a copy of the chat as a prompt; the row stays as it is."""
        self.app.show_chat([Said(one.role, one.content) for one in self._prompt.messages])

    def action_help(self) -> None:
        """Show every key."""
        self.app.show_keys(self.BINDINGS)


def _said(draft: Draft) -> list[Said]:
    """The texts of a row as boxes show them: with the roles of messages, or the names of their fields."""
    if draft.turns:
        return [Said(turn.role, turn.content, turn.source) for turn in draft.turns]
    return [Said(str(field), text) for field, text in draft.texts.items()]
