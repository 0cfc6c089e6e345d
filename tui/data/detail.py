"""The row at the cursor: its text in colours, what the model says, and its strongest tokens."""

from __future__ import annotations

from typing import Final

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from saliscope.render.bars import bar, percent, two_sided
from saliscope.render.graphemes import cut, pad, width
from saliscope.render.text import one_line, signed, visible
from saliscope.tui.data.data_set import DataSet
from saliscope.tui.data.scored import Look, beginning
from saliscope.tui.inks import Inks
from saliscope.tui.painted import painted

MAX_LABEL: Final = 14
NUM_STRONGEST: Final = 10
#: Characters of a text that are drawn.
MOST: Final = 20_000


class RowDetail(VerticalScroll, can_focus=False):
    """Everything about one row; `show` draws it again."""

    def __init__(self, data: DataSet, inks: Inks, id: str | None = None) -> None:
        super().__init__(id=id)
        self._data, self.inks = data, inks
        self._row: int | None = None

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(id="detail-text", markup=False)

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self.show(self._row)

    def show(self, row: int | None) -> None:
        """Show a row; None where there is none."""
        if row != self._row:
            self.scroll_home(animate=False)
        self._row = row
        self.border_title = "Row" if row is None else f"Row {row:,}"
        self.query_one(Static).update(Text("–", "dim") if row is None else self._drawn(row))

    def _drawn(self, row: int) -> Text:
        record, look = self._data.record(row), self._data.look_at(row)
        if look is not None:
            self.border_subtitle = f"{look.method}{' · job' if look.is_of_job else ''}"
            return Text("\n").join(
                [painted(beginning(look.painting, MOST), self.inks), Text(), *self._facts(row, look)]
            )
        self.border_subtitle = ""
        if record.problem:
            return Text(record.problem, "italic")
        text = Text(visible(record.shown[:MOST]))
        why = self._data.why_not(row)
        return text.append(f"\n\n{why}", "italic") if why else text

    def _facts(self, row: int, look: Look) -> list[Text]:
        room, verdict = max(self.content_size.width, 24), self._data.known.get(row)
        lines = []
        for one in look.bars:
            line = Text(pad(cut(one_line(one.label), MAX_LABEL), MAX_LABEL), "bold" if one.is_chosen else "")
            line.append(f" {percent(one.share):>6} ")
            lines.append(line.append(bar(one.share, room - MAX_LABEL - 8), self.inks.bar(one.is_chosen)))
        if verdict is not None and verdict.label:
            line = Text()
            line.append(pad("label", MAX_LABEL), "dim")
            line.append(
                f"{' ✗ ' if verdict.is_wrong else ' '}{one_line(verdict.label)}", "bold" if verdict.is_wrong else ""
            )
            lines.append(line)
        others = [] if verdict is None else [kind for kind in verdict.findings if kind != "mismatch"]
        if others:
            lines.append(Text.assemble((pad("found", MAX_LABEL), "dim"), f" {' '.join(others)}"))
        lines.append(Text())
        order = sorted(look.words, key=lambda word: -abs(word[1]))[:NUM_STRONGEST]
        peak, half = look.painting.depth, max(2, (room - MAX_LABEL - 11) // 2)
        for text, score in order:
            line = Text(no_wrap=True)
            name = cut(one_line(text), MAX_LABEL)
            line.append(name, self.inks.style(look.painting.bucket(score))).append(" " * (MAX_LABEL - width(name)))
            line.append(f" {signed(score, peak):>7} ")
            against, towards = two_sided(score, peak, half)
            lines.append(line.append(f"{against}│{towards}" if look.painting.signed else towards, "dim"))
        return lines
