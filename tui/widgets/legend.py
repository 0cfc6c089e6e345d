"""One line that says what the colours mean, and how good the scores are by now."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from saliscope.protocol.explanation import Explanation
from saliscope.render.buckets import BUCKETS
from saliscope.render.explained import goal_of
from saliscope.render.graphemes import cut
from saliscope.render.text import one_line
from saliscope.tui.inks import Inks

MAX_GOAL = 24


class Legend(Static):
    """The colours from against to for; behind them whether this is an estimate, and what reads the text."""

    def __init__(self, inks: Inks, id: str | None = None) -> None:
        super().__init__(id=id)
        self.inks = inks
        self._shown: tuple[object, ...] = ()

    def show(self, explanation: Explanation | None, mark: str = "") -> None:
        """Say what the colours of an explanation mean; `mark` says how far it is."""
        goal = None if explanation is None else (goal_of(explanation), explanation.signed)
        shown = (goal, mark, self.inks)
        if shown != self._shown:
            self._shown = shown
            self.update(Text("") if explanation is None else self._line(explanation, mark), layout=False)

    def _line(self, explanation: Explanation, mark: str) -> Text:
        goal = cut(one_line(goal_of(explanation)), MAX_GOAL)
        line = Text(no_wrap=True, overflow="ellipsis")
        if self.inks.depth in ("plain", "styles"):
            line.append("bold", "bold").append(f" supports {goal}, ")
            line.append("underlined", "underline").append(" speaks against it")
        elif explanation.signed:
            line.append(f"against {goal} ", "dim")
            self._swatches(line, BUCKETS[:3])
            line.append(" ")
            self._swatches(line, BUCKETS[3:])
            line.append(f" for {goal}", "dim")
        else:
            line.append("less important ", "dim")
            self._swatches(line, BUCKETS[3:])
            line.append(" more important", "dim")
        if mark:
            line.append(f"   {mark}")
        return line

    def _swatches(self, line: Text, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            line.append("••" if self.inks.depth == "16" else "  ", self.inks.style(number))
