"""Two to four methods, or models, on the same text: coloured one below the other, and how far they agree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation
from saliscope.render.bars import percent
from saliscope.render.buckets import bucket, peak_of
from saliscope.render.explained import goal_of, painting_of
from saliscope.render.graphemes import cut
from saliscope.render.text import one_line, signed
from saliscope.tui.contest import Contender, rows, verdict
from saliscope.tui.inks import Inks
from saliscope.tui.painted import painted
from saliscope.tui.picking import Question
from saliscope.tui.screens.picker import Choice, Picker
from saliscope.tui.widgets.keybar import KeyBar

MAX_CONTENDERS: Final = 4
#: So many tokens are in the table.
MAX_ROWS: Final = 24
MAX_NAME: Final = 18
MAX_SENTENCE: Final = 48

Explain = Callable[[Contender, bool], Awaitable[Explanation]]


class CompareScreen(Screen[None]):
    """Asks `explain` for each contender, by sentence or not, and shows what comes; `ask` makes the pickers."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a,m", "add('method')", "Add a method"),
        Binding("M", "add('model')", "Add a model"),
        Binding("d,backspace", "remove", "Remove the last"),
        Binding("s", "sentences", "Sentences or tokens"),
        Binding("escape,q,f7", "dismiss", "Back"),
    ]

    def __init__(
        self, contenders: list[Contender], explain: Explain, ask: Callable[[str], Question], inks: Inks
    ) -> None:
        super().__init__()
        self._contenders, self._explain, self._ask, self._inks = contenders, explain, ask, inks
        self._found: dict[tuple[Contender, bool], Explanation | SaliscopeError] = {}
        self._by_sentence = False

    def compose(self) -> ComposeResult:
        """The contenders and the table in one box that scrolls."""
        with VerticalScroll(id="contest"):
            yield Static(id="contenders")
            yield Static(id="contest-table")
        yield KeyBar()

    def on_mount(self) -> None:
        """Ask for those that are there from the beginning; with one alone, for the second."""
        self.query_one("#contest").border_title = "Compare"
        for contender in self._contenders:
            self._run(contender)
        self._show()
        if len(self._contenders) < 2:
            self.action_add("method")

    def on_resize(self) -> None:
        """Lines break where there is no room."""
        self._show()

    def action_add(self, kind: str) -> None:
        """Pick another method, or another model, for the same text."""
        if len(self._contenders) >= MAX_CONTENDERS:
            self.notify(f"{MAX_CONTENDERS} at most; d removes the last one")
            return
        asked = self._ask(kind)
        choices = [choice for choice in asked.choices if choice.value is not None]

        def add(choice: Choice | None) -> None:
            if choice is None:
                return
            first = self._contenders[0]
            new = Contender(choice.value, None) if kind == "model" else Contender(first.model, choice.value)
            if new not in self._contenders:
                self._contenders.append(new)
                self._run(new)
                self._show()

        self.app.push_screen(Picker(f"{asked.title} to compare", choices, free=asked.free), add)

    def action_remove(self) -> None:
        """Remove the last one."""
        if len(self._contenders) > 1:
            self._contenders.pop()
            self._show()

    def action_sentences(self) -> None:
        """Show which sentences support what is explained and which oppose it, or the tokens again."""
        self._by_sentence = not self._by_sentence
        for contender in self._contenders:
            if (contender, self._by_sentence) not in self._found:
                self._run(contender)
        self._show()

    def _run(self, contender: Contender) -> None:
        self.run_worker(self._work(contender, self._by_sentence))

    async def _work(self, contender: Contender, by_sentence: bool) -> None:
        try:
            self._found[contender, by_sentence] = await self._explain(contender, by_sentence)
        except SaliscopeError as error:
            self._found[contender, by_sentence] = error
        self._show()

    # -- what is shown ----------------------------------------------------------------------------

    @property
    def explanations(self) -> list[Explanation]:
        """What has come so far, in the order of the contenders."""
        found = [self._found.get((contender, self._by_sentence)) for contender in self._contenders]
        return [one for one in found if isinstance(one, Explanation)]

    def _show(self) -> None:
        parts = Text("\n\n").join([self._block(contender) for contender in self._contenders])
        self.query_one("#contenders", Static).update(parts)
        self.query_one("#contest").border_title = "Compare sentences" if self._by_sentence else "Compare"
        is_wanted = len(self.explanations) > (0 if self._by_sentence else 1)
        self.query_one("#contest-table", Static).update(self._table() if is_wanted else "")

    def _block(self, contender: Contender) -> Text:
        """One contender: its name, what it cost and how it agrees with the first, above the coloured text."""
        found = self._found.get((contender, self._by_sentence))
        name = " · ".join(part for part in contender if part) or "the daemon's choice"
        if found is None:
            return Text.assemble((name, "bold"), ("  asking …", "dim"))
        if isinstance(found, SaliscopeError):
            return Text.assemble((name, "bold"), f"\n{found.message}\n", (found.advice, "dim"))
        prediction = found.prediction
        share = prediction.probabilities.get(prediction.label)
        facts = [f"{one_line(prediction.label)} {percent(share).strip()}" if share is not None else "",
                 f"explains {one_line(goal_of(found))}", f"{found.timing_ms.get('total', 0.0):.0f} ms"]  # fmt: skip
        head = Text.assemble((f"{found.model} · {found.method}", "bold"), "  ",
                             ("  ".join(fact for fact in facts if fact), "dim"))  # fmt: skip
        first = self.explanations[0]
        if found is not first:
            agrees = verdict(first, found)
            rank = "–" if agrees.rank is None else f"{agrees.rank:+.2f}"
            said = f"ρ {rank}  top {agrees.of}: {agrees.shared} shared"
            room = self.query_one("#contenders").content_size.width
            head.append(f"{'   ' if head.cell_len + 3 + len(said) <= room else chr(10)}{said}", "bold")
        return head.append("\n").append(painted(painting_of(found), self._inks))

    def _table(self) -> Table:
        """Tokens or sentences by contenders, those first that matter most on average."""
        found = self.explanations
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("sentence" if self._by_sentence else "token", no_wrap=True, overflow="ellipsis")
        same_model = len({one.model for one in found}) == 1
        for one in found:
            table.add_column(one.method if same_model else f"{one.model} {one.method}", justify="right")
        peaks = [peak_of(one.scores) for one in found]
        for row in rows(found, MAX_ROWS):
            cells = [self._cell(one, score, peak) for one, score, peak in zip(found, row.scores, peaks, strict=True)]
            table.add_row(Text(cut(one_line(row.text), MAX_SENTENCE if self._by_sentence else MAX_NAME)), *cells)
        return table

    def _cell(self, explanation: Explanation, score: float | None, peak: float) -> Text:
        """One score in its colour; of a sentence also in a word, which needs no colour."""
        if score is None:
            return Text("")
        cell = Text().append(f" {signed(score, peak)} ", self._inks.style(bucket(score, peak)))
        if self._by_sentence and explanation.signed and bucket(score, peak):
            cell.append(" supports" if score > 0 else " opposes ", "dim")
        return cell
