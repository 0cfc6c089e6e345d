"""Tells the client of diagnostics that it has not: when a document has come to rest, since all of them are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lsprotocol import types

from saliscope.lsp import problems
from saliscope.lsp.abilities import Abilities
from saliscope.lsp.buffers import Buffer, Given
from saliscope.lsp.pygls_gaps import Server

#: Seconds until something is told: behind what is drawn.
_SOON_S: Final = 0.02
#: A document is at rest when there was no edit for so many times its debounce.
_REST: Final = 2
#: Who types without a rest hears nevertheless after so many seconds, when nothing more is about to be known.
_PATIENCE_S: Final = 5.0
#: Seconds between two times that something is told of a document; and for each diagnostic that was told, so many more.
_PAUSE_S: Final = 0.3
_EACH_S: Final = 0.0005


@dataclass
class _Waiting:
    """What may be other than it was told, since when; without a timer it waits for more news."""

    since: float
    ids: set[int] | None
    timer: asyncio.TimerHandle | None = None


class Publisher:
    """Pushes diagnostics, or has a client that pulls ask again."""

    def __init__(self, server: Server, abilities: Abilities) -> None:
        self._server, self._abilities = server, abilities
        self._waiting: dict[Buffer, _Waiting] = {}
        self._last: dict[Buffer, float] = {}

    def add(self, buffer: Buffer, ids: Iterable[int] | None) -> None:
        """The diagnostics of these records may be others than before (None: of all)."""
        problems.forget(buffer, ids)
        now = asyncio.get_running_loop().time()
        waiting = self._waiting.setdefault(buffer, _Waiting(now, set()))
        waiting.ids = None if ids is None or waiting.ids is None else waiting.ids.union(ids)
        self._wait(buffer, waiting, max(now + _SOON_S, self._due(buffer, waiting)))

    def asked(self, buffer: Buffer, previous: str | None) -> Given:
        """The diagnostics for a client that asks: those named `previous`, which it has, where more is to come."""
        waiting, given = self._waiting.get(buffer), buffer.given
        if given is not None and given.name == previous and waiting is not None and buffer.is_coming(waiting.ids):
            return given
        return problems.give(buffer, self._abilities)

    def forget(self, buffer: Buffer) -> None:
        """Nothing more is told of a document, and what was is taken back."""
        waiting = self._waiting.pop(buffer, None)
        if waiting is not None and waiting.timer is not None:
            waiting.timer.cancel()
        self._last.pop(buffer, None)
        if not self._abilities.pulls_diagnostics:
            told = {"uri": buffer.uri, "diagnostics": []}
            self._server.protocol.tell(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, told)

    @property
    def is_told(self) -> bool:
        """Whether nothing is about to be told."""
        return all(waiting.timer is None for waiting in self._waiting.values())

    def stop(self) -> None:
        """Tell nothing more."""
        for waiting in self._waiting.values():
            if waiting.timer is not None:
                waiting.timer.cancel()
        self._waiting.clear()

    def _due(self, buffer: Buffer, waiting: _Waiting) -> float:
        """The time from which on it may be told."""
        number = 0 if buffer.given is None else len(buffer.given.diagnostics)
        due = self._last.get(buffer, 0.0) + _PAUSE_S + number * _EACH_S
        rest = buffer.edited_s + _REST * buffer.settings.debounce / 1000
        return max(due, min(rest, waiting.since + _PATIENCE_S))

    def _wait(self, buffer: Buffer, waiting: _Waiting, due: float) -> None:
        if waiting.timer is None or due < waiting.timer.when():
            if waiting.timer is not None:
                waiting.timer.cancel()
            waiting.timer = asyncio.get_running_loop().call_at(due, self._tell, buffer, waiting)

    def _tell(self, buffer: Buffer, waiting: _Waiting) -> None:
        waiting.timer = None
        now, due = asyncio.get_running_loop().time(), self._due(buffer, waiting)
        if due > now:
            self._wait(buffer, waiting, due)
        elif not buffer.is_coming(waiting.ids):
            del self._waiting[buffer]
            self._last[buffer] = now
            if not self._abilities.pulls_diagnostics:
                self._push(buffer)
            elif problems.differ(buffer, self._abilities):
                self._server.protocol.nudge(types.WORKSPACE_DIAGNOSTIC_REFRESH)

    def _push(self, buffer: Buffer) -> None:
        before, given = buffer.given, problems.give(buffer, self._abilities)
        if given is not before:
            told = {"uri": buffer.uri, "version": buffer.version, "diagnostics": given.diagnostics}
            self._server.protocol.tell(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, told)
