"""The main screen: bar, editor with legend, panels; what its keys do."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_lowercase
from typing import Any, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Offset
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from saliscope.protocol.edits import Edit
from saliscope.render.buckets import bucket, peak_of
from saliscope.render.explained import goal_of, strongest
from saliscope.tui.desk import Desk, Here
from saliscope.tui.inks import Inks
from saliscope.tui.keys import bind
from saliscope.tui.picking import layer_name
from saliscope.tui.screens.jump import JumpScreen, Label
from saliscope.tui.widgets.bar import CHOICES, TopBar
from saliscope.tui.widgets.editor import Editor
from saliscope.tui.widgets.keybar import KeyBar
from saliscope.tui.widgets.legend import Legend
from saliscope.tui.widgets.prediction import PredictionBars
from saliscope.tui.widgets.strongest import Strongest
from saliscope.tui.widgets.token import TokenDetail

#: At most so many tokens, none of them neutral, count as strong, to go from one to the next.
NUM_STRONG: Final = 12
#: How far the scores of a record are, behind the legend.
PROGRESS: Final = {
    "waiting": "◔ changing",
    "predicted": "◔ predicted, why follows",
    "partial": "◑ estimate, better follows",
    "final": "● final",
}
#: Where jump mode goes, by letter; the other letters are those of strong tokens.
JUMPS: Final = {"editor": "e", "strongest": "s", **dict(zip(CHOICES, "dmtpl", strict=True))}
TOKEN_LETTERS: Final = "".join(letter for letter in ascii_lowercase if letter not in JUMPS.values())


class MainScreen(Screen[None]):
    """Shows what is on the desk, and tells `on_edit` of every edit; `tell` has it shown again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("f1,question_mark", "app.help", "Help", "Every key and what it does", display="F1"),
        bind("f2,M", "app.pick('model')", "Model", "Choose another model"),
        bind("f3,m", "app.pick('method')", "Method", "Choose another method, of those that fit the model"),
        bind("f4,t", "app.pick('target')", "Target", "Choose what is explained"),
        bind("f5,g", "app.pick('granularity')", "Pieces", "Choose what gets a score: tokens, words, …"),
        bind("f6,p", "app.parameters", "Parameters", "Set the parameters of the method"),
        bind("f7,c", "app.compare", "Compare", "Put methods side by side, by tokens or by sentences"),
        bind("ctrl+r,r", "app.rows", "Records", "Show the records in a table: sort, narrow down, go to one",
             show=False),
        bind("ctrl+g,w", "app.prompt", "Prompt", "Messages, the next token, what the model writes, and what caused it",
             show=False),
        bind("ctrl+l,l", "app.layers", "Layers", "Show what each layer makes of the text", show=False),
        bind("f8,x", "app.mask", "Mask", "Hide the token at the cursor, and see what that changes"),
        bind("f9,E", "app.export", "Export", "Write a picture, a page or JSON; or copy it"),
        bind("ctrl+down,right_square_bracket", "strong(1)", "Next strong token", "Go to the next of the strong tokens",
             show=False),
        bind("ctrl+up,left_square_bracket", "strong(-1)", "Previous strong token", "Go to the strong token before",
             show=False),
        bind("ctrl+o,o", "jump", "Jump", "Show a letter on every panel and strong token; it goes there",
             show=False),
        bind("f10", "app.external", "External editor", "Edit the text in your $EDITOR", show=False),
        bind("ctrl+s", "app.save", "Save", "Write the text to its file", show=False),
        bind("f12", "app.log_screen", "Log", "Show what happened so far", show=False),
        bind("ctrl+p", "app.command_palette", "Commands", "Search all commands"),
        bind("ctrl+q", "app.quit", "Quit", "Leave; text and choices are kept"),
    ]  # fmt: skip

    class News(Message):
        """Something on the desk is otherwise."""

    def __init__(self, desk: Desk, inks: Inks, on_edit: Callable[[Edit], None]) -> None:
        super().__init__()
        self._desk, self._inks, self._on_edit = desk, inks, on_edit
        self._said = ""
        self._has_news = False

    def compose(self) -> ComposeResult:
        """The bar, the editor with its legend, the panels, the keys."""
        yield TopBar()
        with Horizontal(id="desk"):
            with Vertical(id="left"):
                yield Editor(self._on_edit, self._inks, id="editor")
                yield Static(id="notice", markup=False)
                yield Legend(self._inks, id="legend")
            with Vertical(id="right"):
                yield PredictionBars(self._inks, id="prediction")
                yield TokenDetail(self._inks, id="token")
                yield Strongest(self._inks, id="strongest")
        yield KeyBar({"ctrl+q": "Quit", "ctrl+p": "Commands"})

    def on_mount(self) -> None:
        """Name the panels and begin in the editor."""
        for id, title in (("prediction", "Prediction"), ("token", "Token"), ("strongest", "Strongest")):
            self.query_one(f"#{id}").border_title = title
        self.editor.focus()

    @property
    def editor(self) -> Editor:
        """The editor."""
        return self.query_one(Editor)

    @property
    def here(self) -> Here:
        """What is at the cursor."""
        return self._desk.at(self.editor.offset_of_cursor)

    def take(self, text: str) -> str:
        """Show another text; what became of it, as line breaks are made alike."""
        return self.editor.show(text)

    def ink(self, inks: Inks) -> None:
        """Draw everything in other inks."""
        self._inks = inks
        kinds = (Legend, PredictionBars, TokenDetail, Strongest)
        for widget in self.query("*"):
            if isinstance(widget, kinds):
                widget.inks = inks
        self.editor.ink(inks)
        self.query_one(Strongest).redraw()
        self.query_one(PredictionBars).redraw()
        self.show()

    def tell(self) -> None:
        """Have everything shown that is new, once for all that comes until then."""
        if not self._has_news and self.is_mounted:
            self._has_news = True
            self.post_message(self.News())

    @on(News)
    def show(self) -> None:
        """Show what is on the desk now."""
        self._has_news = False
        desk, here, editor = self._desk, self.here, self.editor
        phase, explanation = desk.phase(here), here.explanation
        editor.colours = desk.colours
        editor.mark(*self._marked(here))
        editor.recolour()
        bar = self.query_one(TopBar)
        for name, value, own in self._choices(here):
            bar.show_choice(name, value, own=own)
        bar.show_state(phase, explanation, desk.status)
        notice = self.query_one("#notice", Static)
        said = f"{phase.message}\n{phase.advice}" if phase.message else ""
        if said != self._said:
            self._said = said
            notice.display = bool(said)
            notice.set_class(phase.kind in ("error", "oom"), "-bad")
            notice.update(said)
            if phase.kind in ("error", "oom") and desk.state == "connected":
                desk.note(f"{phase.word}: {phase.message}", "error")
        is_masked = bool(desk.masked) and desk.masked_of is explanation
        without = desk.without if is_masked else None
        prediction = None if here.record is None else here.record.prediction
        chosen = explanation.target.label if explanation else prediction.label if prediction else ""
        self.query_one(PredictionBars).show(prediction, chosen, without)
        if explanation is not None:
            desk.known.note(explanation)
        others = () if explanation is None or here.feature is None else desk.known.others(explanation, here.feature)
        num_masked = len(desk.masked) if is_masked else 0
        self.query_one(TokenDetail).show(explanation, here.feature, others, num_masked, without)
        self.query_one(Strongest).show(explanation, here.feature)
        self.query_one(Legend).show(explanation, "" if here.record is None else PROGRESS[here.record.state])

    @on(Editor.Moved)
    def _moved(self, event: Editor.Moved) -> None:
        self._desk.focus(event.offset)
        self.tell()

    def _choices(self, here: Here) -> list[tuple[str, str, bool]]:
        """What each chip shows, and whether it was chosen by the reader."""
        choices, found = self._desk.choices, here.explanation
        return [
            ("model", choices.model or (found.model if found else "model"), choices.model is not None),
            ("method", choices.method or (found.method if found else "method"), choices.method is not None),
            ("target", choices.target or (goal_of(found) if found else "target"), choices.target is not None),
            ("granularity", found.granularity if found else choices.granularity, choices.granularity != "token"),
            ("layer", layer_name(self._desk.layer(found)), "layer" in choices.params),
        ]

    def _marked(self, here: Here) -> tuple[Any, tuple[Any, ...]]:
        """Where the feature at the cursor stands, and those that are masked."""
        if here.record is None or here.explanation is None:
            return None, ()
        places = here.record.features
        masked = sorted(self._desk.masked) if self._desk.masked_of is here.explanation else []
        gone = tuple(place for at in masked if (place := places[at]) is not None)
        return None if here.feature is None else places[here.feature], gone

    # -- keys -------------------------------------------------------------------------------------

    def action_read(self) -> None:
        """Leave the editor: single keys are commands then."""
        self.query_one(Strongest).focus()

    def action_write(self) -> None:
        """Back to the editor."""
        self.editor.focus()

    def action_strong(self, direction: int) -> None:
        """Go to the next strong token of the record in reading order, or the one before; round at the ends."""
        here, now = self.here, self.editor.offset_of_cursor
        starts = self._strong(here)
        own = None if here.record is None or here.feature is None else here.record.features[here.feature]
        begin = now if own is None else own[0]
        ahead = [start for start in starts if start > begin]
        behind = [start for start in starts if start < begin]
        if starts:
            forward, backward = (ahead or starts)[0], (behind or starts)[-1]
            self.editor.go(forward if direction > 0 else backward)

    @staticmethod
    def _strong(here: Here) -> list[int]:
        """Where the strong tokens of a record begin, in reading order."""
        if here.record is None or here.explanation is None:
            return []
        places = here.record.features
        scores, peak = here.explanation.scores, peak_of(here.explanation.scores)
        strong = [at for at in strongest(here.explanation, NUM_STRONG) if bucket(scores[at], peak)]
        return sorted(place[0] for at in strong if (place := places[at]) is not None)

    @on(Strongest.Chosen)
    def _go_to(self, event: Strongest.Chosen) -> None:
        here = self.here
        place = here.record.features[event.index] if here.record is not None else None
        if place is not None:
            self.editor.go(place[0])

    def action_jump(self) -> None:
        """Show a letter on everything that can be reached."""
        labels: dict[str, Label] = {}
        for target, letter in JUMPS.items():
            widget = self.query_one(f"#chip-{target}" if target in CHOICES else f"#{target}")
            if widget.display and widget.region.area:
                labels[target] = Label(letter, widget.region.offset + Offset(1, 0))
        places = ((start, self.editor.place_of(start)) for start in self._strong(self.here))
        seen = [(start, place) for start, place in places if place is not None]
        for (start, place), letter in zip(seen, TOKEN_LETTERS, strict=False):
            labels[str(start)] = Label(letter, place, is_narrow=True)
        self.app.push_screen(JumpScreen(labels), self._jump_to)

    async def _jump_to(self, target: str | None) -> None:
        if target in CHOICES:
            await self.app.run_action(f"app.pick('{target}')")
        elif target is not None and target.isdecimal():
            self.editor.go(int(target))
        elif target is not None:
            self.query_one(f"#{target}").focus()
