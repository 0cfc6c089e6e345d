"""The keys of the screen in one line at the bottom; a click presses one.

Textual's own footer makes a widget of each key, anew whenever another widget has the focus: more than half of the time
that a dialog takes to open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual import events
from textual.screen import Screen
from textual.widget import Widget


class Shown(NamedTuple):
    """One key: how it is written, what it is called, and what it does."""

    key: str
    display: str
    name: str
    what: str

    @property
    def width(self) -> int:
        """The cells that it takes, with a space around both words."""
        return cell_len(self.display) + cell_len(self.name) + 3


class KeyBar(Widget):
    """What does not fit is left out from the end, but never the last one; `more` are keys of the app itself."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"keybar--key", "keybar--name"}

    def __init__(self, more: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__()
        self._more = more
        self._keys: list[Shown] = []

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow)
        self.call_after_refresh(self._follow, self.screen)

    def _follow(self, screen: Screen[object]) -> None:
        keys = list(self._shown())
        if screen is self.screen and keys != self._keys:
            self._keys = keys
            self.refresh()

    def _shown(self) -> Iterator[Shown]:
        seen: set[str] = set()
        active = self.screen.active_bindings
        for _, binding, is_enabled, tooltip in active.values():
            if binding.show and is_enabled and binding.action not in seen:
                seen.add(binding.action)
                display = self.app.get_key_display(binding)
                yield Shown(binding.key, display, binding.description, tooltip or binding.tooltip)
        for key, name in self._more.items():
            if key in active:
                binding = active[key].binding
                yield Shown(key, self.app.get_key_display(binding), name, binding.tooltip)

    def render(self) -> Text:
        """As many of the keys as there is room for."""
        keys, room = self._keys, self.size.width
        while len(keys) > 1 and sum(one.width for one in keys) > room:
            keys = [*keys[:-2], keys[-1]]
        line = Text(no_wrap=True, overflow="crop")
        key_style = self.get_component_rich_style("keybar--key")
        name_style = self.get_component_rich_style("keybar--name")
        for one in keys:
            meta = Style.from_meta({"key": one.key})
            line.append(f" {one.display} ", key_style + meta).append(f"{one.name} ", name_style + meta)
        return line

    def _at(self, event: events.MouseEvent) -> Shown | None:
        """The key below the mouse."""
        key = event.style.meta.get("key")
        return next((one for one in self._keys if one.key == key), None)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Say what the key below the mouse does."""
        found = self._at(event)
        self.tooltip = None if found is None else found.what or None

    def on_click(self, event: events.Click) -> None:
        """Press the key below the mouse."""
        found = self._at(event)
        if found is not None:
            self.app.simulate_key(found.key)
