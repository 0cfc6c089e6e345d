"""What each layer of the model can read: tokens by layers as a heat map, and the layer that is chosen from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation, Output
from saliscope.render.buckets import bucket, peak_of
from saliscope.render.graphemes import cut, pad
from saliscope.render.text import one_line
from saliscope.tui.inks import Inks
from saliscope.tui.widgets.keybar import KeyBar

MAX_NAME: Final = 16
CELL: Final = 4


class LayersScreen(Screen[int | None]):
    """Shows what `explain` gives for all layers at once; ends with the layer that was chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "Before", key_display="←"),
        Binding("right,l", "move(1)", "Next", key_display="→"),
        Binding("enter", "take", "Explain with it"),
        Binding("escape,q,ctrl+l", "dismiss", "Back"),
    ]

    def __init__(self, explain: Callable[[], Awaitable[Explanation]], inks: Inks) -> None:
        super().__init__()
        self._explain, self._inks = explain, inks
        self._found: Explanation | None = None
        self._outputs: list[Output] = []
        self._at = 0

    def compose(self) -> ComposeResult:
        """The layers above the map, which scrolls."""
        with Vertical(id="layers"):
            yield Static("asking …", id="heat-head", markup=False)
            with VerticalScroll():
                yield Static(id="heat", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Ask."""
        self.query_one("#layers").border_title = "Layers"
        self.run_worker(self._ask())

    async def _ask(self) -> None:
        try:
            self._found = await self._explain()
        except SaliscopeError as error:
            self.query_one("#heat-head", Static).update(f"{error.message}\n{error.advice}")
            return
        layered = [output for output in self._found.outputs if output.layer is not None]
        by_layer = {output.layer: output for output in reversed(layered)}
        self._outputs = [by_layer[layer] for layer in sorted(by_layer, key=lambda layer: layer or 0)]
        own = self._found.outputs[0].layer
        self._at = next((at for at, output in enumerate(self._outputs) if output.layer == own), 0)
        self._show()

    def _show(self) -> None:
        self.query_one("#heat-head", Static).update(self.head())
        self.query_one("#heat", Static).update(self.heat())

    def head(self) -> Text:
        """What is shown, and the numbers of the layers above their columns."""
        found = self._found
        if found is None or not self._outputs:
            return Text("This method tells of no layers.")
        head = Text(pad("layer", MAX_NAME), "dim")
        for at, output in enumerate(self._outputs):
            head.append(f"{output.layer:>{CELL - 1}} ", Style(bold=at == self._at, reverse=at == self._at))
        what = "what each layer makes of the text, embeddings first"
        return Text.assemble((f"{found.model} · {found.method}: {what}\n\n", "dim"), head)

    def heat(self) -> Text:
        """One line a token, one column a layer; each column in shares of its own strongest token."""
        found = self._found
        if found is None:
            return Text("")
        peaks, lines = [peak_of(output.scores) for output in self._outputs], []
        for number, feature in enumerate(found.features):
            line = Text(no_wrap=True).append(pad(cut(one_line(feature.text), MAX_NAME - 1), MAX_NAME))
            for output, peak in zip(self._outputs, peaks, strict=True):
                share = output.scores[number] / peak if peak > 0 else 0.0
                line.append(f"{share * 100:>{CELL - 1}.0f} ", self._inks.style(bucket(output.scores[number], peak)))
            lines.append(line)
        return Text("\n").join(lines)

    def action_move(self, by: int) -> None:
        """Choose the layer beside this one."""
        if self._outputs:
            self._at = min(max(self._at + by, 0), len(self._outputs) - 1)
            self._show()

    def action_take(self) -> None:
        """Explain with the chosen layer from now on."""
        if self._outputs:
            self.dismiss(self._outputs[self._at].layer)
