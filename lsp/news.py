"""Tells the client what is new: gathered for a moment, so that a thousand results are few messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from lsprotocol import types

from saliscope.lsp.abilities import Abilities
from saliscope.lsp.buffers import Buffer
from saliscope.lsp.decorations import METHOD, Drawn
from saliscope.lsp.publishing import Publisher
from saliscope.lsp.pygls_gaps import Server

#: Seconds until what is new is told, and at least between two times unless it is where the reader is.
_SOON_S: Final = 0.01
_PAUSE_S: Final = 0.3


class News:
    """Gathers which records of which documents are new, and wakes who waits for one of them.

    `problems` tells of their diagnostics, behind what is drawn: those are many and can wait.
    """

    def __init__(self, server: Server, abilities: Abilities) -> None:
        self._server, self._abilities = server, abilities
        self.problems = Publisher(server, abilities)
        self._changed: dict[Buffer, set[int] | None] = {}
        self._drawn: dict[Buffer, Drawn] = {}
        self._wakers: dict[Buffer, asyncio.Event] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0
        self._is_stopped = False

    def add(self, buffer: Buffer, ids: list[int] | None) -> None:
        """These records are other than before (None: all)."""
        if self._is_stopped:
            # A command that was cancelled with the rest still tidies up.
            return
        buffer.encoder.forget(ids)
        self.problems.add(buffer, ids)
        gathered = self._changed.get(buffer, set())
        self._changed[buffer] = None if ids is None or gathered is None else gathered | set(ids)
        if (waker := self._wakers.get(buffer)) is not None:
            waker.set()
        is_coming = buffer.is_coming(ids)
        if is_coming and not self._abilities.decorations:
            # It asks after its edit by itself, and what is coming is told with it.
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + _SOON_S
        if not _is_read(buffer, ids):
            due = max(due, self._last + _PAUSE_S)
        elif not is_coming:
            # That is what the reader waits for.
            due = loop.time()
        if self._timer is None or due < self._timer.when():
            self._hold()
            self._timer = loop.call_at(due, self._tell)

    def repeat(self, buffer: Buffer, ids: list[int] | None) -> None:
        """Tell again of these records (None: of all), though the client was told."""
        if buffer in self._drawn:
            self._drawn[buffer].forget()
        self.add(buffer, ids)

    def forget(self, buffer: Buffer) -> None:
        """Nothing more is told of a document; pushed diagnostics are taken back."""
        self._changed.pop(buffer, None)
        self._wakers.pop(buffer, None)
        self._drawn.pop(buffer, None)
        self.problems.forget(buffer)

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
        """Whether nothing is about to be told."""
        return self._timer is None and self.problems.is_told

    def stop(self) -> None:
        """Tell nothing more."""
        self._is_stopped = True
        self.problems.stop()
        self._hold()

    def _hold(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        self._timer, self._last = None, asyncio.get_running_loop().time()
        changed, self._changed = self._changed, {}
        if self._abilities.decorations:
            for buffer, ids in changed.items():
                # Where they are off, those of before are taken back.
                wanted = buffer.settings.decorations or ids is None
                told = self._drawn.setdefault(buffer, Drawn()).news(buffer, ids) if wanted else None
                if told is not None:
                    self._server.protocol.tell(METHOD, told)
        self._refresh({buffer: ids for buffer, ids in changed.items() if not buffer.is_coming(ids)})

    def _refresh(self, changed: Mapping[Buffer, set[int] | None]) -> None:
        """Have the client ask again for what it shows; also for what it shows no more.

        That something was edited it knows, and asks by itself.
        """
        able, nudge = self._abilities, self._server.protocol.nudge
        settings = [buffer.settings for buffer in changed]
        anew = None in changed.values()
        if able.refreshes_tokens and (anew or any(one.semantic_tokens for one in settings)):
            nudge(types.WORKSPACE_SEMANTIC_TOKENS_REFRESH)
        if able.refreshes_lenses and (anew or any(one.code_lens for one in settings)):
            nudge(types.WORKSPACE_CODE_LENS_REFRESH)
        if able.refreshes_hints and (anew or any(one.inlay_hints for one in settings)):
            nudge(types.WORKSPACE_INLAY_HINT_REFRESH)


def _is_read(buffer: Buffer, ids: list[int] | None) -> bool:
    """Whether it concerns the record where the reader is."""
    record = None if ids is None or buffer.caret is None else buffer.record_at(buffer.caret)
    return record is not None and ids is not None and record.id in ids
