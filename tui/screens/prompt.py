"""A prompt: its messages, what may come next, what the model writes, and what in the prompt caused it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, Label, Static

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation
from saliscope.protocol.messages import BUNDLED
from saliscope.protocol.results import GeneratePartial
from saliscope.render.buckets import peak_of
from saliscope.render.explained import goal_of
from saliscope.render.painting import Mark, Painting
from saliscope.tui.inks import Inks
from saliscope.tui.prompt.answer import AnswerView
from saliscope.tui.prompt.message import MessageBox
from saliscope.tui.prompt.next_token import NextToken
from saliscope.tui.prompt.state import Prompt, places
from saliscope.tui.widgets.keybar import KeyBar
from saliscope.tui.widgets.legend import Legend

if TYPE_CHECKING:
    from saliscope.tui.app import TuiApp

#: The reader has not typed for so long, in seconds, before the next token is asked for.
REST_S: Final = 0.25
#: Tokens that are told for each place.
TOP: Final = 10


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
        Binding("f1", "help", "Help", show=False, tooltip="Every key of the prompt"),
        Binding("ctrl+p", "app.command_palette", "Commands", show=False, tooltip="Search all commands"),
        Binding("ctrl+q", "app.quit", "Quit", show=False, tooltip="Leave"),
        Binding("escape", "back", "Back", tooltip="Stop writing; else back to the text"),
    ]

    def __init__(self, prompt: Prompt, inks: Inks) -> None:
        super().__init__()
        self._prompt, self._inks = prompt, inks
        self._at = len(prompt.messages) - 1
        self._is_writing = False
        self._model: str | None = None

    def compose(self) -> ComposeResult:
        """The messages above the answer, what may come next beside them."""
        yield Static(id="prompt-bar", markup=False)
        with Horizontal(id="prompt"):
            with Vertical(id="prompt-left"):
                yield VerticalScroll(id="messages", can_focus=False)
                yield AnswerView(self._inks, id="answer")
                yield Static(id="prompt-notice", markup=False)
                yield Legend(self._inks, id="prompt-legend")
            with Vertical(id="prompt-right"):
                yield NextToken(self._inks, id="next")
                with Vertical(id="wishes"):
                    for name, value in (("max tokens", self._prompt.max_tokens),
                                        ("temperature", f"{self._prompt.temperature:g}"),
                                        ("seed", self._prompt.seed)):  # fmt: skip
                        with Horizontal(classes="wish"):
                            yield Label(name, classes="wish-name")
                            kind: Any = "number" if name == "temperature" else "integer"
                            yield Input(str(value), type=kind, id=f"wish-{name.split()[0]}", compact=True)
        yield KeyBar()

    async def on_mount(self) -> None:
        """Show the prompt as it was left."""
        for id, title in (("messages", "Prompt"), ("answer", "Answer"), ("wishes", "Writing")):
            self.query_one(f"#{id}").border_title = title
        await self._rebuild(self._at)
        self._show()
        self._ask_next()

    # -- what is shown ----------------------------------------------------------------------------

    async def _rebuild(self, focus: int) -> None:
        """Make the boxes anew: there are others, in another order, or with other roles."""
        box, prompt = self.query_one("#messages"), self._prompt
        await box.remove_children()
        roles = [("" if prompt.is_plain else one.role) for one in prompt.messages]
        boxes = [MessageBox(at, role, one.content, self._inks)
                 for at, (role, one) in enumerate(zip(roles, prompt.messages, strict=True))]  # fmt: skip
        await box.mount(*boxes)
        self._at = focus
        boxes[focus].area.focus()
        boxes[focus].scroll_visible(animate=False)

    def _show(self) -> None:
        """Show answer, colours and what is said about them; a screen that is being left has nothing to show them on."""
        if not self.query(AnswerView):
            return
        prompt = self._prompt
        self.query_one(AnswerView).show(prompt.answer, prompt.picked)
        for box in self.query(MessageBox):
            box.area.paint(self._painting(prompt.explained, box.at))
        self.query_one("#prompt-legend", Legend).show(prompt.explained, "")
        model, how = self._model or self.app.desk.choices.model or "…", "text" if prompt.is_plain else "chat"
        method = f" · {prompt.explained.method} of {goal_of(prompt.explained)}" if prompt.explained else ""
        self.query_one("#prompt-bar", Static).update(f"saliscope   {model} · {how}{method}")

    def _painting(self, explained: Explanation | None, at: int) -> Painting | None:
        """The part of an explanation that lies in a message, in the colours of the whole."""
        if explained is None:
            return None
        if self._prompt.is_plain:
            # Plain messages are one text, with line breaks between them.
            start = sum(len(one.content) + 1 for one in self._prompt.messages[:at])
            end = start + len(self._prompt.messages[at].content)
        else:
            start, end = places(explained, len(self._prompt.messages))[at]
        marks = [Mark(feature.start - start, feature.end - start, score)
                 for feature, score in zip(explained.features, explained.scores, strict=True)
                 if feature.end > start and feature.start < end]  # fmt: skip
        return Painting(explained.text[start:end], marks, explained.signed, None, peak_of(explained.scores))

    def _notice(self, text: str) -> None:
        notice = self.query_one("#prompt-notice", Static)
        notice.display = bool(text)
        notice.update(text)

    # -- editing ----------------------------------------------------------------------------------

    @on(MessageBox.Edited)
    def _edited(self, event: MessageBox.Edited) -> None:
        self._prompt.messages[event.at].content = event.content
        self._prompt.changed()
        self._at = event.at
        self._notice("")
        self._show()
        self._ask_next()

    @on(MessageBox.Turned)
    async def _turned(self, event: MessageBox.Turned) -> None:
        self._at = event.at
        await self.action_turn()

    def _here(self) -> int:
        """The message that the cursor is in, or was in last."""
        for box in self.query(MessageBox):
            if box.area.has_focus:
                self._at = box.at
        return min(self._at, len(self._prompt.messages) - 1)

    async def _changed(self, at: int) -> None:
        await self._rebuild(at)
        self._show()
        self._ask_next()

    async def action_add(self) -> None:
        """A new message behind this one."""
        await self._changed(self._prompt.add(self._here()))

    async def action_remove(self) -> None:
        """Take this message out."""
        await self._changed(self._prompt.remove(self._here()))

    async def action_move(self, by: int) -> None:
        """Let this message and its neighbour change places."""
        await self._changed(self._prompt.move(self._here(), by))

    async def action_turn(self) -> None:
        """Give this message the next role."""
        at = self._here()
        self._prompt.turn(at)
        await self._changed(at)

    async def action_take_in(self) -> None:
        """Make a message of the answer."""
        self._prompt.take_in()
        await self._changed(len(self._prompt.messages) - 1)

    async def action_plain(self) -> None:
        """A chat, or one plain text."""
        await self._make_plain(not self._prompt.is_plain)
        self._ask_next()

    async def _make_plain(self, is_plain: bool) -> None:
        self._prompt.is_plain = is_plain
        self._prompt.changed()
        await self._rebuild(self._here())
        self._show()

    @on(Input.Changed)
    def _wish(self, event: Input.Changed) -> None:
        value, prompt = event.value, self._prompt
        try:
            if event.input.id == "wish-max":
                prompt.max_tokens = max(1, min(512, int(value)))
            elif event.input.id == "wish-temperature":
                prompt.temperature = max(0.0, min(100.0, float(value)))
            else:
                prompt.seed = max(0, int(value))
        except ValueError:
            # Half a number: what was there before holds until it is a whole one.
            return

    # -- asking -----------------------------------------------------------------------------------

    async def _options(self) -> dict[str, Any]:
        """The model that writes: the chosen one if it can, else the bundled decoder."""
        desk = self.app.desk
        model = desk.choices.model or BUNDLED[0]
        known = next((one for one in desk.models if one.name == model and one.capabilities), None)
        is_classifier = known is not None and "next-token" not in known.capabilities
        self._model = BUNDLED[1] if is_classifier or model == BUNDLED[0] else model
        return {"model": self._model}

    @work(exclusive=True, group="next")
    async def _ask_next(self) -> None:
        """Show what may come next, once the reader rests."""
        await asyncio.sleep(REST_S)
        if not self.query(NextToken):
            # The screen is being left.
            return
        if self._prompt.is_empty:
            self.query_one(NextToken).show({})
            return
        found = await self._asked(max_tokens=1, priority="interactive", supersede="tui-next")
        if found is not None and self._prompt.answer is None and self.query(NextToken):
            self.query_one(NextToken).show(found.tokens[0].likely if found.tokens else {})

    @work(exclusive=True, group="write")
    async def action_generate(self) -> None:
        """Have the model write on."""
        if self._prompt.is_empty:
            self._notice("Type a prompt first.")
            return
        prompt, view = self._prompt, self.query_one(AnswerView)
        prompt.changed()
        self._show()
        self._is_writing = True
        try:
            found = await self._asked(
                max_tokens=prompt.max_tokens, temperature=prompt.temperature, seed=prompt.seed,
                on_written=lambda so_far: self._so_far(view, so_far),
            )  # fmt: skip
        finally:
            self._is_writing = False
            view.border_subtitle = ""
            # Also where it was stopped.
            self._show()
        if found is None:
            return
        prompt.answer = found
        view.focus()
        self._show()
        self._pick(0, min(1, len(found.tokens)))

    def _so_far(self, view: AnswerView, so_far: GeneratePartial) -> None:
        view.show_so_far(so_far.text)
        view.border_subtitle = f"{so_far.num_tokens} tokens · Esc stops"

    async def _asked(self, **options: Any) -> Any:
        """What the model writes; None where it cannot, with the reason shown. A chat may become a text."""
        try:
            client, model = self.app.desk.client, await self._options()
            try:
                return await client.generate(**self._prompt.source(), **model, top=TOP, **options)
            except SaliscopeError as error:
                if self._prompt.is_plain or error.code != "not_capable" or "chat template" not in error.message:
                    raise
            await self._make_plain(True)
            self._notice(f"{self._model} has no chat template, so the prompt is one plain text (F4).")
            return await client.generate(**self._prompt.source(), **model, top=TOP, **options)
        except SaliscopeError as error:
            if error.code not in ("cancelled", "superseded"):
                self._notice(f"{error.message}\n{error.advice}")
            return None

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
        prompt = self._prompt
        if prompt.answer is None or prompt.picked[1] == 0:
            self._notice("Pick a token of the answer first.")
            return
        picked, choices = prompt.picked, self.app.desk.choices
        self.query_one(AnswerView).border_subtitle = "asking"
        try:
            source = prompt.source()
            found = await self.app.desk.client.explain(
                source.pop("text", None), **source, model=prompt.answer.model, method=choices.method,
                target=prompt.target(), params=choices.params or None, granularity=choices.granularity,
                priority="interactive", supersede="tui-why",
            )  # fmt: skip
        except SaliscopeError as error:
            self._notice(f"{error.message}\n{error.advice}")
            return
        finally:
            self.query_one(AnswerView).border_subtitle = ""
        if prompt.picked == picked and prompt.answer is not None:
            self._notice("")
            prompt.explained = found
            self._show()

    def action_help(self) -> None:
        """Show every key."""
        self.app.show_keys([*self.BINDINGS, *AnswerView.BINDINGS])

    def action_back(self) -> None:
        """Stop writing; else back to the text."""
        if self._is_writing:
            self.workers.cancel_group(self, "write")
            return
        self.app.pop_screen()
