"""Carries one live document to the daemon, one request after another, and takes in what is told of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import DisconnectedError, SaliscopeError
from saliscope.protocol.live.choices import Choices
from saliscope.protocol.live.document import LiveDocument, Told
from saliscope.protocol.live.record import landed

OnChange = Callable[[LiveDocument, "list[int] | None"], None]
#: What decides which records there are; with the same of it they keep their ids.
_READING: Final = ("format", "language", "field", "pair", "label")
#: Who types without a pause is explained after so many times the debounce nevertheless.
_PATIENCE: Final = 6
#: How long a document waits that was refused for want of room.
_BUSY_S: Final = 2.0


class Courier:
    """One document of a session; `serve` runs while there is a connection, and anew on the next one."""

    def __init__(self, document: LiveDocument, choices: Choices, on_change: OnChange, debounce_s: float) -> None:
        self.document, self.choices = document, choices
        self._on_change, self.debounce_s = on_change, debounce_s
        self._holds_opening = choices.trigger == "manual"
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._latest = 0.0
        self._focus: int | None = None
        self._is_reconfigured = self._is_configuring = self._is_closed = False
        self._same_records = True
        self._version = 0
        #: The versions of the text with which the document was opened, and of which something was sent, last.
        self._offered = self._sent = -1

    # -- what the user of the session does --------------------------------------------------------

    def edit(self, edits: list[Edit], text: str | None = None) -> None:
        """Change the text now, to `text` where that is known, and have it sent after the debounce."""
        touched = self.document.edit(edits, text)
        for edit in edits:
            self._focus = None if self._focus is None else landed(self._focus, edit)
        if not self.holds_edits:
            now = asyncio.get_running_loop().time()
            if self._due is None:
                self._latest = now + _PATIENCE * self.debounce_s
            self._due = min(now + self.debounce_s, self._latest)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_at(self._due, self._ring)
        else:
            # Who waits for all that is not held has it; a document that was refused is not offered with it.
            self._news.set()
        if touched:
            self._tell(touched)

    def _ring(self) -> None:
        """Wake who sends when what was edited is due; a timer for each edit would cost more than most are worth."""
        self._timer = None
        left = self._left()
        if left is not None and left > 0:
            self._timer = asyncio.get_running_loop().call_later(left, self._ring)
        elif left is not None:
            self._wake.set()

    def focus(self, at: int) -> None:
        """Have the record at `at` explained first."""
        self._focus = min(max(at, 0), len(self.document.text))
        if self.document.opening is not None and self.document.problem is None:
            self._wake.set()

    def flush(self) -> None:
        """Send what is held or unsent now."""
        self._holds_opening = False
        self._due = 0.0 if self.document.has_unsent else None
        self._wake.set()

    def configure(self, asked: dict[str, Any]) -> None:
        """Explain the records so from now on."""
        self.choices.asked = asked
        self._choose()

    def look_again(self) -> None:
        """Explain the records as the workspace wants it, if its file says something else now."""
        if not self.choices.refresh():
            return
        self._choose()
        if not self.holds_edits:
            self.flush()
        elif self.choices.trigger != "manual":
            self._holds_opening = False
            self._wake.set()
        self._tell(None)

    @property
    def holds_edits(self) -> bool:
        """Whether edits wait for `flush`."""
        return self.choices.trigger != "onType"

    def _choose(self) -> None:
        old, new = self.document.options, self.choices.options
        self.document.choose(self.choices)
        if old != new:
            self._same_records &= all(old.get(name) == new.get(name) for name in _READING)
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
        if self._is_closed or self._holds_opening:
            return True
        if self._is_reconfigured or self._is_configuring or self._due is not None or document.is_in_flight:
            return False
        if document.problem is not None or document.failed is not None:
            return True
        return document.is_settled or (self.holds_edits and document.has_unsent)

    # -- what travels -----------------------------------------------------------------------------

    async def serve(self, client: AsyncClient) -> None:
        """Open the document and follow it until it is closed or the connection is lost."""
        while not self._is_closed and client.is_open:
            try:
                await self._open(client)
                await self._follow(client)
            except SaliscopeError as error:
                if isinstance(error, DisconnectedError) or error.code == "shutting_down" or not client.is_open:
                    return
                await self._refused(client, error)

    async def _open(self, client: AsyncClient) -> None:
        while self._holds_opening and not self._is_closed:
            await self._woken()
        if self._is_closed:
            return
        self._same_records, self._is_reconfigured, self._due = True, False, None
        document, text = self.document, self.document.begin()
        if document.has_unsent:
            self._due = 0.0
        self._offered = self._sent = document.version
        options = document.options
        state = await client.open_document(
            document.name, text, on_attribution=self._hear, on_findings=self._hear, on_failed=self._hear,
            on_settled=self._hear, **options,
        )  # fmt: skip
        self._version = state.version
        document.opened(state, options=options)
        self._tell(None)

    async def _refused(self, client: AsyncClient, error: SaliscopeError) -> None:
        """Wait until it is worth trying again: at once for a text that the daemon has never seen whole."""
        if error.code == "bad_request" and error.data.get("resync") and self._offered != self.document.version:
            return
        if self.document.opening is not None:
            # What is left of it there is no use to anybody.
            with contextlib.suppress(SaliscopeError):
                await client.close_document(self.document.name)
        self.document.refused(error)
        if self._sent == self.document.version:
            # What was edited since may be what the daemon wants.
            self._due = None
        self._tell(None)
        await self._woken(_BUSY_S if error.code == "busy" else None)
        while (left := self._left()) is not None and left > 0:
            await self._woken()

    async def _follow(self, client: AsyncClient) -> None:
        document = self.document
        while not self._is_closed:
            left = self._left()
            if self._is_reconfigured:
                await self._configure(client)
            elif document.has_unsent and left is not None and left <= 0:
                await self._send(client)
            elif self._focus is not None and not document.has_unsent:
                at, self._focus = self._focus, None
                await client.focus_document(document.name, self._version, at)
            else:
                await self._woken()
        await client.close_document(document.name)

    async def _configure(self, client: AsyncClient) -> None:
        document, options, same = self.document, self.document.options, self._same_records
        self._is_reconfigured, self._same_records, self._is_configuring = False, True, True
        try:
            state = await client.configure_document(document.name, **options)
        finally:
            self._is_configuring = False
        document.opened(state, options=options, same_records=same)
        self._tell(None)

    async def _send(self, client: AsyncClient) -> None:
        document = self.document
        batch, self._sent = document.next_batch(), document.version
        if not document.has_unsent:
            self._due = None
        base, self._version = self._version, self._version + 1
        answer = await client.change_document(document.name, base, self._version, batch)
        self._tell(document.changed(answer))

    def _left(self) -> float | None:
        """The seconds until what was edited is due; None where nothing is."""
        return None if self._due is None else self._due - asyncio.get_running_loop().time()

    async def _woken(self, timeout_s: float | None = None) -> None:
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
        if not self._is_closed and (ids is None or ids):
            try:
                self._on_change(self.document, ids)
            except Exception as error:
                # The document goes on for its other users; this one is told as of any callback of the loop.
                told = {"message": "a callback about a document failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
