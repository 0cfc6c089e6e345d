"""The commands of the app in the palette."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, NamedTuple

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider

#: Commands that have no key: action -> (name, what it does).
MORE = {
    "app.pick('colours')": ("Colours", "Another palette, a dark or a light ground"),
    "app.pick('layer')": ("Layer", "Which layer is read, where the method reads one"),
    "app.pick('format')": ("Format", "How the text is read: as one record, line by line, as a table, …"),
    "app.copy('Markdown')": ("Copy as Markdown", "The text with its strongest tokens marked, and a table"),
    "app.copy('terminal')": ("Copy as ANSI", "The coloured text as a terminal shows it"),
    "app.table": ("Table", "The file of rows in a table, or the table that is open"),
    "app.unmask": ("Unmask", "Take all masked tokens in again"),
}


Run = Callable[[], Coroutine[Any, Any, bool]]


class Command(NamedTuple):
    """One row of the palette."""

    name: str
    what: str
    run: Run


class Commands(Provider):
    """Every key of the app that says what it does, and what has no key."""

    def _commands(self) -> Iterator[Command]:
        for binding in self.screen.BINDINGS:
            if isinstance(binding, Binding) and binding.tooltip and binding.action != "app.command_palette":
                yield Command(binding.description, binding.tooltip, self._run(binding.action))
        for action, (name, what) in MORE.items():
            yield Command(name, what, self._run(action))

    def _run(self, action: str) -> Run:
        return partial(self.app.run_action, action, default_namespace=self.screen)

    async def discover(self) -> Hits:
        """All of them."""
        for command in self._commands():
            yield DiscoveryHit(command.name, command.run, help=command.what)

    async def search(self, query: str) -> Hits:
        """Those whose name or explanation matches."""
        matcher = self.matcher(query)
        for command in self._commands():
            score = max(matcher.match(command.name), matcher.match(command.what) * 0.7)
            if score > 0:
                yield Hit(score, matcher.highlight(command.name), command.run, help=command.what)
