"""Tells the client what is new: gathered for a moment, so that a thousand results are few messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from lsprotocol import types

from saliscope.lsp import decorations, problems
from saliscope.lsp.abilities import Abilities
from saliscope.lsp.buffers import Buffer
from saliscope.lsp.pygls_gaps import Server

#: Seconds until what is new is told, and at least between two times unless it is where the reader is.
_SOON_S: Final = 0.01
_PAUSE_S: Final = 0.3


class News:
    """Gathers which records of which documents are new, and wakes who waits for one of them."""

    def __init__(self, server: Server, abilities: Abilities) -> None:
        self._server, self._abilities = server, abilities
        self._changed: dict[Buffer, set[int] | None] = {}
        self._wakers: dict[Buffer, asyncio.Event] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0

    def add(self, buffer: Buffer, ids: list[int] | None) -> None:
        """These records are other than before (None: all)."""
        buffer.encoder.forget(ids)
        problems.forget(buffer, ids)
        gathered = self._changed.get(buffer, set())
        self._changed[buffer] = None if ids is None or gathered is None else gathered | set(ids)
        if (waker := self._wakers.get(buffer)) is not None:
            waker.set()
        loop = asyncio.get_running_loop()
        due = loop.time() + _SOON_S
        if not _is_read(buffer, ids):
            due = max(due, self._last + _PAUSE_S)
        if self._timer is None or due < self._timer.when():
            self.stop()
            self._timer = loop.call_at(due, self._tell)

    def forget(self, buffer: Buffer) -> None:
        """Nothing more is told of a document; pushed diagnostics are taken back."""
        self._changed.pop(buffer, None)
        self._wakers.pop(buffer, None)
        if not self._abilities.pulls_diagnostics:
            told = {"uri": buffer.uri, "diagnostics": []}
            self._server.protocol.tell(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, told)

    async def until(self, buffer: Buffer, ready: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait until something is so, as far as news of a document can make it so; whether it is."""
        try:
            async with asyncio.timeout(timeout_s):
                while not ready():
                    waker = self._wakers.setdefault(buffer, asyncio.Event())
                    waker.clear()
                    await waker.wait()
        except TimeoutError:
            return ready()
        return True

    @property
    def is_told(self) -> bool:
        """Whether nothing waits to be told."""
        return not self._changed

    def stop(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        self._timer, self._last = None, asyncio.get_running_loop().time()
        changed, self._changed = self._changed, {}
        ready = [buffer for buffer, ids in changed.items() if not _is_coming(buffer, ids)]
        if not self._abilities.pulls_diagnostics:
            for buffer in ready:
                self._publish(buffer)
        elif any(problems.differ(buffer, self._abilities) for buffer in ready):
            self._server.workspace_diagnostic_refresh(None)
        if self._abilities.decorations:
            for buffer, ids in changed.items():
                # Where they are off, those of before are taken back.
                if buffer.settings.decorations or ids is None:
                    self._server.protocol.tell(decorations.METHOD, decorations.decorations(buffer, ids))
        self._refresh(changed)

    def _publish(self, buffer: Buffer) -> None:
        before = buffer.given
        given = problems.give(buffer, self._abilities)
        if given is not before:
            told = {"uri": buffer.uri, "version": buffer.version, "diagnostics": given.diagnostics}
            self._server.protocol.tell(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, told)

    def _refresh(self, changed: Mapping[Buffer, set[int] | None]) -> None:
        """Have the client ask again for what it shows; also for what it shows no more."""
        able, server = self._abilities, self._server
        settings = [buffer.settings for buffer in changed]
        anew = None in changed.values()
        if able.refreshes_tokens and (anew or any(one.semantic_tokens for one in settings)):
            server.workspace_semantic_tokens_refresh(None)
        if able.refreshes_lenses and (anew or any(one.code_lens for one in settings)):
            server.workspace_code_lens_refresh(None)
        if able.refreshes_hints and (anew or any(one.inlay_hints for one in settings)):
            server.workspace_inlay_hint_refresh(None)


def _is_coming(buffer: Buffer, ids: set[int] | None) -> bool:
    """Whether more is about to be known of these records: the editor moves what it shows of them meanwhile.

    Taking their diagnostics away for a moment would send all of the document's twice a keystroke, and flicker.
    """
    if ids is None or buffer.settings.when != "onType":
        return False
    records = (buffer.record(id) for id in ids)
    return any(record is not None and record.stale for record in records)


def _is_read(buffer: Buffer, ids: list[int] | None) -> bool:
    """Whether it concerns the record where the reader is."""
    record = None if ids is None or buffer.caret is None else buffer.record_at(buffer.caret)
    return record is not None and ids is not None and record.id in ids
