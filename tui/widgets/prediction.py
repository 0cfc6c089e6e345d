"""The prediction as bars, and how it would change without the masked tokens."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from saliscope.protocol.explanation import Prediction
from saliscope.render.bars import bar, percent
from saliscope.render.explained import bars_of, labels_of
from saliscope.render.graphemes import cut, pad, width
from saliscope.render.text import one_line
from saliscope.tui.inks import Inks

MAX_LABEL = 16


class PredictionBars(Static):
    """One bar a label; beside it, how much it gains or loses without what is masked."""

    def __init__(self, inks: Inks, id: str | None = None) -> None:
        super().__init__(id=id)
        self.inks = inks
        self._shown: tuple[Prediction | None, str, Prediction | None] = (None, "", None)

    def show(self, prediction: Prediction | None, chosen: str = "", without: Prediction | None = None) -> None:
        """Show what the model says, with the `chosen` label among it, and what it says without the masked tokens."""
        if self._shown != (prediction, chosen, without):
            self._shown = prediction, chosen, without
            self.update(self.draw())

    def redraw(self) -> None:
        """Draw again in other inks or another width."""
        self.update(self.draw())

    def on_resize(self) -> None:
        """Bars are as long as there is room."""
        self.redraw()

    def draw(self) -> Text:
        """The lines of the widget."""
        prediction, chosen, without = self._shown
        if prediction is None:
            return Text("–", "dim")
        if prediction.value is not None:
            return Text(f"{one_line(prediction.label)}  {prediction.value:.4g}")
        bars, labels = bars_of(prediction, chosen), labels_of(prediction, chosen)
        names = [cut(one_line(found.label), MAX_LABEL) for found in bars]
        room_of_name = max(map(width, names), default=0)
        changes = {} if without is None else without.probabilities
        room = self.size.width - room_of_name - 9 - (8 if changes else 0)
        lines = []
        for found, name, label in zip(bars, names, labels, strict=True):
            line = Text(pad(name, room_of_name), "bold" if found.chosen else "")
            line.append(f" {percent(found.share):>6} ")
            if room > 1:
                line.append(pad(bar(found.share, room), room), self.inks.bar(found.chosen))
            if changes:
                change = changes.get(label, 0.0) - found.share
                line.append(f" {change * 100:+6.1f}", "bold")
            lines.append(line)
        return Text("\n").join(lines)
