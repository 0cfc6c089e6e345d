"""The bar at the top: what is chosen, and how the daemon is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from saliscope.protocol.explanation import Explanation
from saliscope.protocol.results import Status
from saliscope.render.graphemes import cut, cut_inside
from saliscope.render.text import one_line
from saliscope.tui.phase import MARKS, Phase

MAX_CHIP = 28
#: Where there is room for the memory, in cells.
WIDE = 100
#: What is chosen, in the order of the chips.
CHOICES = ("model", "method", "target", "granularity", "layer")
#: Those of which the end tells more than the middle: `decoded-simple`, `decoded-grad-cam`; not so `demo-encoder`.
_NAMES = ("method",)
#: The cells of a chip beside its value: one at each side, and its sign.
AROUND = 4


def shared(widths: Sequence[int], room: int) -> list[int]:
    """How many cells each of `widths` gets: all it needs, or an equal share of what the narrower ones leave."""
    got, left = [0] * len(widths), max(room, 0)
    for rank, at in enumerate(sorted(range(len(widths)), key=widths.__getitem__)):
        got[at] = min(widths[at], left // (len(widths) - rank))
        left -= got[at]
    return got


class Chip(Static):
    """One choice: its name and what was chosen; a click opens its picker."""

    def __init__(self, name: str, on_seen: Callable[[], object]) -> None:
        super().__init__(id=f"chip-{name}", classes="chip")
        self._on_seen = on_seen
        self.choice = name
        self._value, self._own, self._most = "", False, MAX_CHIP

    @property
    def wanted(self) -> int:
        """The cells that the value would take."""
        return min(cell_len(one_line(self._value)), MAX_CHIP)

    def show(self, value: str, *, own: bool) -> bool:
        """Show a value, none where there is nothing to choose; `own` if the reader chose it. Whether it is another."""
        if (self._value, self._own) == (value, own):
            return False
        self._value, self._own = value, own
        self.set_class(bool(value), "-there")
        self._draw()
        return True

    def fit(self, most: int) -> None:
        """Show the value in at most so many cells; the tooltip has all of it."""
        if most != self._most:
            self._most = most
            self._draw()

    def _draw(self) -> None:
        shorten = cut_inside if self.choice in _NAMES else cut
        line = Text(shorten(one_line(self._value), min(self._most, MAX_CHIP)), "bold" if self._own else "")
        line.append(" ▾", "dim")
        self.tooltip = Text(f"{one_line(self._value)}: choose another {self.choice}")
        self.update(line)

    def on_show(self) -> None:
        """It takes room from the others."""
        self._on_seen()

    def on_hide(self) -> None:
        """It leaves its room to the others."""
        self._on_seen()

    async def on_click(self) -> None:
        """Open the picker."""
        await self.app.run_action(f"app.pick('{self.choice}')")


class TopBar(Horizontal):
    """The choices as chips; at the right the state of the daemon with latency and memory."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[str, str] | None = None
        self._widest = 0

    def compose(self) -> ComposeResult:
        """The name of the app, a chip for each choice and the state."""
        yield Static("saliscope", id="name")
        for name in CHOICES:
            yield Chip(name, self.fit)
        yield Static("", id="state")

    def show_choice(self, name: str, value: str, *, own: bool) -> None:
        """Show one choice."""
        if self.query_one(f"#chip-{name}", Chip).show(value, own=own):
            self.call_after_refresh(self.fit)

    def on_resize(self, event: events.Resize) -> None:
        """Share the room anew."""
        self.call_after_refresh(self.fit)

    def fit(self) -> None:
        """Give each chip that is there its share of what the name and the state leave."""
        chips = [chip for chip in self.query(Chip) if chip.display]
        beside = [one for one in self.query("#name, #state") if one.display]
        room = self.size.width - sum(one.outer_size.width for one in beside) - AROUND * len(chips)
        for chip, most in zip(chips, shared([chip.wanted for chip in chips], room), strict=True):
            chip.fit(most)

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
        wanted = cell_len(shown[1]) + 2
        if wanted > self._widest:
            # It does not give room back, so that the choices stay in their places while states come and go.
            self._widest = wanted
            state.styles.width = wanted
            self.call_after_refresh(self.fit)
