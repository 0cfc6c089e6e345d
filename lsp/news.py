"""Tells the client what is new: gathered for a moment, so that a thousand results are few messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from lsprotocol import types

from saliscope.lsp import decorations
from saliscope.lsp.abilities import Abilities
from saliscope.lsp.buffers import Buffer
from saliscope.lsp.problems import diagnostics
from saliscope.lsp.pygls_gaps import Server

#: Seconds until what is new is told, and between two times at least.
_SOON_S: Final = 0.03
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
        gathered = self._changed.get(buffer, set())
        self._changed[buffer] = None if ids is None or gathered is None else gathered | set(ids)
        if (waker := self._wakers.get(buffer)) is not None:
            waker.set()
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time() + _SOON_S, self._last + _PAUSE_S), self._tell)

    def forget(self, buffer: Buffer) -> None:
        """Nothing more is told of a document; pushed diagnostics are taken back."""
        self._changed.pop(buffer, None)
        if not self._abilities.pulls_diagnostics:
            empty = types.PublishDiagnosticsParams(uri=buffer.uri, diagnostics=[])
            self._server.text_document_publish_diagnostics(empty)

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

    def _tell(self) -> None:
        self._timer, self._last = None, asyncio.get_running_loop().time()
        changed, self._changed = self._changed, {}
        for buffer, ids in changed.items():
            if not self._abilities.pulls_diagnostics:
                self._server.text_document_publish_diagnostics(
                    types.PublishDiagnosticsParams(
                        uri=buffer.uri, diagnostics=diagnostics(buffer, self._abilities), version=buffer.version
                    )
                )
            if self._abilities.decorations and buffer.settings.decorations:
                self._server.protocol.notify(decorations.METHOD, decorations.decorations(buffer, ids))
        if changed:
            self._refresh(list(changed))

    def _refresh(self, buffers: list[Buffer]) -> None:
        """Have the client ask again for what it shows."""
        able, server = self._abilities, self._server
        if able.pulls_diagnostics:
            server.workspace_diagnostic_refresh(None)
        if able.refreshes_tokens and any(one.settings.semantic_tokens for one in buffers):
            server.workspace_semantic_tokens_refresh(None)
        if able.refreshes_lenses and any(one.settings.code_lens for one in buffers):
            server.workspace_code_lens_refresh(None)
        if able.refreshes_hints and any(one.settings.inlay_hints for one in buffers):
            server.workspace_inlay_hint_refresh(None)
