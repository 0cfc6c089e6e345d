"""A prompt: its messages, what may come next, what the model writes, and what in the prompt caused it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.results import Generated
from saliscope.render.explained import goal_of
from saliscope.tui.inks import Inks
from saliscope.tui.prompt.answer import AnswerView
from saliscope.tui.prompt.messages import Messages
from saliscope.tui.prompt.next_token import NextToken
from saliscope.tui.prompt.state import Prompt
from saliscope.tui.prompt.wishes import Wishes
from saliscope.tui.prompt.writer import Writer
from saliscope.tui.widgets.keybar import KeyBar
from saliscope.tui.widgets.legend import Legend
from saliscope.tui.widgets.notice import Notice

if TYPE_CHECKING:
    from saliscope.tui.app import TuiApp

#: The reader has not typed for so long, in seconds, before the next token is asked for.
REST_S: Final = 0.25


class PromptScreen(Screen[None]):
    """Edits a prompt in place; it is the app's, so that it is there again."""

    app: TuiApp

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+g", "generate", "Write on", tooltip="Have the model write on; Esc stops it"),
        Binding("ctrl+n", "add", "Add", tooltip="A new message below"),
        Binding("ctrl+d", "remove", "Remove", tooltip="Take the message out"),
        Binding("ctrl+t", "turn", "Role", tooltip="Give the message the next role"),
        Binding("alt+up", "move(-1)", "Up", show=False, tooltip="Move the message up"),
        Binding("alt+down", "move(1)", "Down", show=False, tooltip="Move the message down"),
        Binding("f7", "take_in", "Take in", tooltip="Make a message of the answer"),
        Binding("f2", "app.pick('model')", "Model", tooltip="Choose another model"),
        Binding("f3", "app.pick('method')", "Method", show=False, tooltip="Choose another method"),
        Binding("f4", "plain", "Chat/text", tooltip="A chat, or one plain text"),
        Binding("f5", "app.new_prompt", "New", show=False, tooltip="A new prompt, with the text of the editor"),
        Binding("f1", "help", "Help", show=False, tooltip="Every key of the prompt"),
        Binding("ctrl+p", "app.command_palette", "Commands", show=False, tooltip="Search all commands"),
        Binding("ctrl+q", "app.quit", "Quit", show=False, tooltip="Leave"),
        Binding("escape", "back", "Back", tooltip="Stop writing; else back to the text"),
    ]

    def __init__(self, prompt: Prompt, inks: Inks) -> None:
        super().__init__()
        self._prompt, self._inks = prompt, inks
        self._writer = Writer(prompt, self.app.desk, self._became_plain)
        self._chosen = self.app.desk.choices.model
        #: What the model has written so far, while it writes.
        self._heard: list[Generated] | None = None

    def compose(self) -> ComposeResult:
        """The messages above the answer, what may come next beside them."""
        yield Static(id="prompt-bar", markup=False)
        with Horizontal(id="prompt"):
            with Vertical(id="prompt-left"):
                yield Messages(self._prompt, self._inks, id="messages")
                yield AnswerView(self._inks, id="answer")
                yield Notice(id="prompt-notice")
                yield Legend(self._inks, id="prompt-legend")
            with Vertical(id="prompt-right"):
                yield NextToken(self._inks, id="next")
                yield Wishes(self._prompt, id="wishes")
        yield KeyBar()

    async def on_mount(self) -> None:
        """Show the prompt as it was left."""
        self.query_one("#messages").border_title = "Prompt"
        self.query_one("#answer").border_title = "Answer"
        if self._chosen is not None:
            self._prompt.model = self._chosen
        await self._messages.build(len(self._prompt.messages) - 1)
        self._show()
        self._ask_next()
        if self._prompt.is_kept:
            self._prompt.is_kept = False
            self._notice("This is the prompt of the last time; F5 begins a new one with the text.")

    def on_screen_resume(self) -> None:
        """Another model may have been chosen meanwhile: it says something else."""
        chosen = self.app.desk.choices.model
        if chosen != self._chosen:
            self._chosen = self._prompt.model = chosen
            self._show()
            self._ask_next()

    # -- what is shown ----------------------------------------------------------------------------

    def _show(self) -> None:
        """Show answer, colours and what is said about them; a screen that is being left has nothing to show them on."""
        if not self.is_running:
            return
        prompt = self._prompt
        self.query_one(AnswerView).show(prompt.answer, prompt.picked)
        self._messages.paint(prompt.explained, prompt.places())
        self.query_one("#prompt-legend", Legend).show(prompt.explained, "")
        how = "text" if prompt.is_plain else "chat"
        method = f" · {prompt.explained.method} of {goal_of(prompt.explained)}" if prompt.explained else ""
        self.query_one("#prompt-bar", Static).update(f"saliscope   {self._writer.model} · {how}{method}")

    def _notice(self, text: str) -> None:
        if self.is_running:
            self.query_one(Notice).say(text)

    def _complain(self, error: SaliscopeError) -> None:
        if error.code not in ("cancelled", "superseded"):
            self._notice(f"{error.message}\n{error.advice}")

    # -- editing ----------------------------------------------------------------------------------

    @on(Messages.Changed)
    def _changed(self) -> None:
        """What is being written goes on from another prompt than there is now."""
        self._heard = None
        self.workers.cancel_group(self, "write")
        self._notice("")
        self._show()
        self._ask_next()

    @property
    def _messages(self) -> Messages:
        return self.query_one(Messages)

    async def action_add(self) -> None:
        """A new message behind this one."""
        await self._messages.add()

    async def action_remove(self) -> None:
        """Take this message out."""
        await self._messages.remove_here()

    async def action_move(self, by: int) -> None:
        """Let this message and its neighbour change places."""
        await self._messages.move(by)

    async def action_turn(self) -> None:
        """Give this message the next role."""
        await self._messages.turn()

    async def action_take_in(self) -> None:
        """Make a message of the answer."""
        self._prompt.take_in()
        await self._messages.changed(len(self._prompt.messages) - 1)

    async def action_plain(self) -> None:
        """A chat, or one plain text."""
        self._prompt.is_plain = not self._prompt.is_plain
        self._prompt.changed()
        await self._messages.changed(self._messages.here)

    async def _became_plain(self) -> None:
        self._prompt.changed()
        await self._messages.build(self._messages.here)
        self._show()
        self._notice(f"{self._writer.model} has no chat template, so the prompt is one plain text (F4).")

    # -- asking -----------------------------------------------------------------------------------

    @work(exclusive=True, group="next")
    async def _ask_next(self) -> None:
        """Show what may come next, once the reader rests."""
        await asyncio.sleep(REST_S)
        if not self.is_running:
            # The screen is being left.
            return
        if self._prompt.is_empty:
            self.query_one(NextToken).show({})
            return
        try:
            likely = await self._writer.next()
        except SaliscopeError as error:
            self._complain(error)
            return
        if self._prompt.answer is None and self.is_running:
            self.query_one(NextToken).show(likely)

    @work(exclusive=True, group="write")
    async def action_generate(self) -> None:
        """Have the model write on; what it has written when it is stopped, or fails, stays."""
        if self._prompt.is_empty:
            self._notice("Type a prompt first.")
            return
        self._prompt.changed()
        self._notice("")
        self._show()
        view, heard = self.query_one(AnswerView), list[Generated]()
        self._heard = heard

        def listen(written: Generated) -> None:
            heard[:] = [written]
            view.show_so_far(written.text, len(written.tokens))

        try:
            heard[:] = [await self._writer.write(listen)]
        except SaliscopeError as error:
            self._complain(error)
        finally:
            # Nobody wants what an edit, or another writing, has taken the place of.
            if self._heard is heard:
                self._heard = None
                self._wrote(heard)

    def _wrote(self, heard: Sequence[Generated]) -> None:
        """Show what was written, all of it or a part, with the first token picked."""
        prompt = self._prompt
        prompt.answer = heard[0] if heard else None
        self._show()
        if prompt.answer is not None and self.is_running:
            self.query_one(AnswerView).focus()
            self._pick(0, min(1, len(prompt.answer.tokens)))

    # -- what caused it ---------------------------------------------------------------------------

    @on(AnswerView.Picked)
    def _picked(self, event: AnswerView.Picked) -> None:
        self._pick(event.start, event.end)

    def _pick(self, start: int, end: int) -> None:
        prompt = self._prompt
        if prompt.answer is None or not prompt.answer.tokens:
            return
        if prompt.picked != (start, end):
            prompt.picked, prompt.explained = (start, end), None
        token = prompt.answer.tokens[start]
        title = f"Token {start + 1} of {len(prompt.answer.tokens)}"
        text = prompt.answer.text[token.start : token.end]
        self.query_one(NextToken).show(token.likely, text, title)
        self._show()

    @work(exclusive=True, group="why")
    async def action_why(self) -> None:
        """Show what in the prompt caused the picked tokens."""
        prompt, view = self._prompt, self.query_one(AnswerView)
        if prompt.answer is None or prompt.picked[1] == 0:
            self._notice("Pick a token of the answer first.")
            return
        picked = prompt.picked
        view.border_subtitle = "asking"
        try:
            found = await self._writer.why()
        except SaliscopeError as error:
            self._complain(error)
            return
        finally:
            view.border_subtitle = ""
        if prompt.picked == picked and prompt.answer is not None:
            self._notice("")
            prompt.explained = found
            self._show()

    def action_help(self) -> None:
        """Show every key."""
        self.app.show_keys([*self.BINDINGS, *AnswerView.BINDINGS])

    def action_back(self) -> None:
        """Stop writing; else back to the text."""
        if self._heard is not None:
            self.workers.cancel_group(self, "write")
            return
        self.app.pop_screen()
