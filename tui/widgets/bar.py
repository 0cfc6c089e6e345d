"""The bar at the top: what is chosen, and how the daemon is."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from saliscope.protocol.explanation import Explanation
from saliscope.protocol.results import Status
from saliscope.render.graphemes import cut
from saliscope.render.text import one_line
from saliscope.tui.phase import MARKS, Phase

MAX_CHIP = 28
#: Where there is room for the memory, in cells.
WIDE = 100
#: What is chosen, in the order of the chips.
CHOICES = ("model", "method", "target", "granularity", "layer")


class Chip(Static):
    """One choice: its name and what was chosen; a click opens its picker."""

    def __init__(self, name: str) -> None:
        super().__init__(id=f"chip-{name}", classes="chip")
        self.choice = name
        self._shown: tuple[str, bool] | None = None
        self.tooltip = f"Choose another {name}"

    def show(self, value: str, *, own: bool) -> None:
        """Show a value, none where there is nothing to choose; `own` if the reader chose it, not the daemon."""
        if self._shown == (value, own):
            return
        self._shown = value, own
        self.set_class(bool(value), "-there")
        line = Text(cut(one_line(value), MAX_CHIP), "bold" if own else "")
        line.append(" ▾", "dim")
        self.update(line)

    async def on_click(self) -> None:
        """Open the picker."""
        await self.app.run_action(f"app.pick('{self.choice}')")


class TopBar(Horizontal):
    """The choices as chips; at the right the state of the daemon with latency and memory."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[str, str] | None = None

    def compose(self) -> ComposeResult:
        """The name of the app, a chip for each choice and the state."""
        yield Static("saliscope", id="name")
        for name in CHOICES:
            yield Chip(name)
        yield Static("", id="state")

    def show_choice(self, name: str, value: str, *, own: bool) -> None:
        """Show one choice."""
        self.query_one(f"#chip-{name}", Chip).show(value, own=own)

    def show_state(self, phase: Phase, explanation: Explanation | None, status: Status | None) -> None:
        """Show the state, how long the model took, and what the daemon holds."""
        mark, look = MARKS[phase.kind]
        parts = [f"{mark} {phase.word}"]
        if explanation is not None and "total" in explanation.timing_ms and phase.kind in ("ready", "refining"):
            parts.append(f"{explanation.timing_ms['total']:.0f} ms")
        memory = 0 if status is None else sum(status.memory.values())
        if memory and phase.kind != "lost" and self.size.width >= WIDE:
            parts.append(f"{memory / 1e6:.0f} MB" if memory < 1e9 else f"{memory / 1e9:.1f} GB")
        shown = look, "  ".join(parts)
        if shown == self._shown:
            return
        self._shown = shown
        state = self.query_one("#state", Static)
        for name in ("quiet", "busy", "good", "warn", "bad"):
            state.set_class(name == look, f"-{name}")
        state.update(Text(shown[1], no_wrap=True), layout=False)
