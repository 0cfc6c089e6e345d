"""Carries one live document to the daemon, one request after another, and takes in what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.live.document import LiveDocument, Told
from saliscope.protocol.live.record import landed
from saliscope.protocol.requests import DisconnectedError

OnChange = Callable[[LiveDocument, "list[int] | None"], None]
#: What decides which records there are; with the same of it they keep their ids.
_READING: Final = ("format", "language", "field", "pair", "label")
#: Who types without a pause is explained after so many times the debounce nevertheless.
_PATIENCE: Final = 6
#: How long a document waits that was refused for want of room.
_BUSY_S: Final = 2.0


class Courier:
    """One document of a session; `serve` runs while there is a connection, and anew on the next one."""

    def __init__(self, document: LiveDocument, on_change: OnChange, debounce_s: float, *, held: bool = False) -> None:
        self.document = document
        self._on_change, self._debounce_s = on_change, debounce_s
        #: Whether edits wait for `flush`, and the opening with them.
        self.holds_edits, self._holds_opening = held, held
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._due: float | None = None
        self._latest = 0.0
        self._focus: int | None = None
        self._is_reconfigured = self._is_closed = False
        self._same_records = True
        self._version = 0

    # -- what the user of the session does --------------------------------------------------------

    def edit(self, edits: list[Edit]) -> None:
        """Change the text now, and have it sent after the debounce."""
        touched = self.document.edit(edits)
        for edit in edits:
            self._focus = None if self._focus is None else landed(self._focus, edit)
        if not self.holds_edits:
            now = asyncio.get_running_loop().time()
            if self._due is None:
                self._latest = now + _PATIENCE * self._debounce_s
            self._due = min(now + self._debounce_s, self._latest)
        self._wake.set()
        if touched:
            self._tell(touched)

    def focus(self, at: int) -> None:
        """Have the record at `at` explained first."""
        self._focus = at
        self._wake.set()

    def flush(self) -> None:
        """Send what is held or unsent now."""
        self._holds_opening = False
        self._due = 0.0 if self.document.has_unsent else None
        self._wake.set()

    def configure(self, options: dict[str, Any]) -> None:
        """Explain the records so from now on."""
        old = self.document.options
        self._same_records &= all(old.get(name) == options.get(name) for name in _READING)
        self.document.options = options
        self._is_reconfigured = True
        self._wake.set()

    def close(self) -> None:
        """Have the document closed; `serve` ends then."""
        self._is_closed = True
        self._wake.set()
        self._news.set()

    async def settled(self) -> None:
        """Wait until all is sent that is not held, and nothing is to come; also ends when it is refused or closed."""
        while not self._is_settled():
            self._news.clear()
            await self._news.wait()

    def _is_settled(self) -> bool:
        document = self.document
        if self._is_closed:
            return True
        if self._is_reconfigured or self._due is not None:
            return False
        if document.problem is not None or document.failed is not None or self._holds_opening:
            return True
        return document.is_settled or (self.holds_edits and document.has_unsent and not document.is_in_flight)

    # -- what travels -----------------------------------------------------------------------------

    async def serve(self, client: AsyncClient) -> None:
        """Open the document and follow it until it is closed or the connection is lost."""
        while not self._is_closed and client.is_open:
            try:
                if await self._open(client):
                    await self._follow(client)
            except DisconnectedError:
                return
            except SaliscopeError as error:
                if error.code == "shutting_down":
                    return
                # Whatever was not done: the daemon gets the whole text again.
                continue

    async def _open(self, client: AsyncClient) -> bool:
        """Whether the document is open; else it waits for another text, other options, or room."""
        while self._holds_opening and not self._is_closed:
            await self._woken(None)
        if self._is_closed:
            return False
        self._same_records, self._is_reconfigured, self._due = True, False, None
        document, text = self.document, self.document.begin()
        if document.has_unsent:
            self._due = 0.0
        try:
            state = await client.open_document(
                document.name, text, on_attribution=self._hear, on_findings=self._hear, on_failed=self._hear,
                on_settled=self._hear, **document.options,
            )  # fmt: skip
        except SaliscopeError as error:
            if isinstance(error, DisconnectedError) or error.code == "shutting_down":
                raise
            document.problem = error
            self._tell(None)
            await self._woken(_BUSY_S if error.code == "busy" else None)
            while self._due is not None and (left := self._due - asyncio.get_running_loop().time()) > 0:
                await self._woken(left)
            return False
        self._version = state.version
        document.opened(state)
        self._tell(None)
        return True

    async def _follow(self, client: AsyncClient) -> None:
        document = self.document
        while not self._is_closed:
            now = asyncio.get_running_loop().time()
            if self._is_reconfigured:
                self._is_reconfigured, same, self._same_records = False, self._same_records, True
                document.opened(await client.configure_document(document.name, **document.options), same_records=same)
                self._tell(None)
            elif document.has_unsent and self._due is not None and self._due <= now:
                await self._send(client)
            elif self._focus is not None and not document.has_unsent:
                at, self._focus = self._focus, None
                await client.focus_document(document.name, self._version, at)
            else:
                await self._woken(None if self._due is None else self._due - now)
        await client.close_document(document.name)

    async def _send(self, client: AsyncClient) -> None:
        document = self.document
        batch = document.next_batch()
        if not document.has_unsent:
            self._due = None
        base, self._version = self._version, self._version + 1
        answer = await client.change_document(document.name, base, self._version, batch)
        self._tell(document.changed(answer))

    async def _woken(self, timeout_s: float | None) -> None:
        """Wait for something to do, at most so long."""
        self._news.set()
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    def _hear(self, told: Told) -> None:
        self._tell(self.document.take(told))

    def _tell(self, ids: list[int] | None) -> None:
        self._news.set()
        if ids is None or ids:
            try:
                self._on_change(self.document, ids)
            except Exception as error:
                # The document goes on for its other users; this one is told as of any callback of the loop.
                told = {"message": "a callback about a document failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
