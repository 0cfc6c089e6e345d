"""What the rows of a data set say together: the words of each class, confusion, slices, possible shortcuts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from saliscope.protocol.jobs import JobResults, TopType
from saliscope.render.bars import bar, percent
from saliscope.render.graphemes import cut, pad, width
from saliscope.render.text import one_line
from saliscope.tui.inks import Inks
from saliscope.tui.widgets.keybar import KeyBar

NUM_TYPES: Final = 15
NUM_SHORTCUTS: Final = 12
MAX_NAME: Final = 16
BAR: Final = 10
#: Cells of a block for one class.
BLOCK: Final = 38


class ClassesScreen(Screen[None]):
    """Shows the results of a job."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,v", "app.pop_screen", "Back"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
    ]

    def __init__(self, results: JobResults, inks: Inks) -> None:
        super().__init__()
        self._results, self._inks = results, inks

    def compose(self) -> ComposeResult:
        """One page that scrolls."""
        with VerticalScroll(id="classes"):
            yield Static(id="classes-top")
            yield Static(id="classes-rest")
        yield KeyBar()

    def on_mount(self) -> None:
        """Draw what does not depend on the width."""
        results = self._results
        self.query_one("#classes").border_title = "What the rows say together"
        self.query_one("#classes").border_subtitle = f"{results.model} · {results.method}"
        self._rest()

    def on_resize(self) -> None:
        """As many classes stand side by side as there is room for."""
        self.query_one("#classes-top", Static).update(self._top())

    def action_scroll(self, by: int) -> None:
        """Scroll some lines."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def _top(self) -> Table:
        across = max(1, (self.size.width - 6) // BLOCK)
        grid, classes = Table.grid(padding=(1, 2, 0, 0)), list(self._results.top.items())
        for at in range(0, len(classes), across):
            grid.add_row(*(self._types(label, found) for label, found in classes[at : at + across]))
        return grid

    def _types(self, label: str, found: Sequence[TopType]) -> Text:
        """The strongest types of a class with bars."""
        text = Text()
        text.append(cut(one_line(label), BLOCK - 4), "bold")
        text.append(f"\n{len(found)} words speak for it\n" if found else "\nno word speaks for it\n", "dim")
        peak = max((one.weight for one in found), default=1.0)
        for one in found[:NUM_TYPES]:
            name = cut(one_line(one.text), MAX_NAME)
            text.append(name + " " * (MAX_NAME - width(name)))
            text.append(pad(bar(one.weight / peak, BAR), BAR), self._inks.bar(True))
            text.append(f" {one.texts:>5,}\n", "dim")
        return text

    def _rest(self) -> None:
        parts: list[RenderableType] = []
        for title, table in self._tables():
            parts += [Text(f"\n{title}", "bold"), Padding(table, (0, 0, 0, 0))]
        page = Table.grid()
        for part in parts:
            page.add_row(part)
        self.query_one("#classes-rest", Static).update(page)

    def _tables(self) -> Iterator[tuple[str, RenderableType]]:
        results = self._results
        if results.overlap:
            rows = [[" and ".join(map(one_line, one.classes)), f"{one.shared} of {one.of}"] for one in results.overlap]
            yield "Words that classes share, of the strongest", _table(["classes", "shared"], rows)
        if results.confusion:
            accuracy = "" if results.accuracy is None else f", {percent(results.accuracy).strip()} right"
            yield f"Labels (rows) and predictions (columns){accuracy}", self._confusion()
        if results.slices:
            rows = [
                [one_line(one.field), one_line(one.value), f"{one.rows:,}", f"{one.failed:,}", _share(one.accuracy),
                 _share(one.probability), _share(one.concentration)]
                for one in results.slices
            ]  # fmt: skip
            yield "Slices", _table(["", "", "rows", "failed", "right", "sure", "strongest word"], rows)
        if results.shortcuts:
            rows = [
                [one_line(one.text), one_line(one.label), f"{one.texts:,}", _share(one.top), _share(one.purity),
                 f"{one.wrong:,}"]
                for one in results.shortcuts[:NUM_SHORTCUTS]
            ]  # fmt: skip
            heads = ["word", "for", "texts", "strongest in", "agree", "label differs"]
            yield "Possible shortcuts: worth a look, no proof", _table(heads, rows)
        if results.failures:
            rows = [[f"{one.row:,}", one.code, cut(one_line(one.message), 80)] for one in results.failures[:10]]
            yield f"{results.failed:,} rows failed, the first of them", _table(["row", "code", "why"], rows)

    def _confusion(self) -> Table:
        confusion = self._results.confusion
        said = sorted({name for told in confusion.values() for name in told})
        table = _table(["", *map(one_line, said)], [])
        most = max((count for told in confusion.values() for count in told.values()), default=1)
        for label, told in confusion.items():
            cells = [Text(one_line(label))]
            for name in said:
                count = told.get(name, 0)
                is_right = name == label
                strength = 0 if not count else 1 + (count > most / 4) + (count > most / 2)
                cells.append(Text(f" {count:,} ", self._inks.style(strength if is_right else -strength)))
            table.add_row(*cells)
        return table


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for at, head in enumerate(heads):
        table.add_column(Text(head), justify="left" if at < 2 and rows and not rows[0][at][:1].isdigit() else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _share(share: float | None) -> str:
    return "" if share is None else percent(share).strip()
