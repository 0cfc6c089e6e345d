"""What the server knows and does, whatever the client asks: documents, settings, and the session with the daemon."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from lsprotocol import types
from msgspec import UNSET

from saliscope.lsp.abilities import Abilities
from saliscope.lsp.buffers import Buffer
from saliscope.lsp.descriptions import NO_MODEL
from saliscope.lsp.models import Models
from saliscope.lsp.news import News
from saliscope.lsp.positions import Lines
from saliscope.lsp.preferences import Preferences
from saliscope.lsp.pygls_gaps import Server
from saliscope.lsp.tasks import Tasks
from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.live import LiveDocument, LiveSession, SessionState
from saliscope.protocol.workspace import FILE

log = logging.getLogger(__name__)
NewSession = Callable[..., LiveSession]
STATUS: Final = "saliscope/status"


class Service:
    """One client and its documents."""

    def __init__(self, server: Server, new_session: NewSession = LiveSession) -> None:
        self.server, self._new_session = server, new_session
        self.abilities = Abilities()
        self.buffers: dict[str, Buffer] = {}
        self.tasks = Tasks()
        self.news = News(server, self.abilities)
        self.models = Models(server, self.tasks, self.client, self._loaded)
        self.session: LiveSession | None = None
        self.preferences = Preferences(server)
        self._is_ready = asyncio.Event()
        self._is_hinted = self._is_outage_told = False

    # -- life -------------------------------------------------------------------------------------

    def initialize(self, params: types.InitializeParams) -> None:
        """Read what the client can and wants."""
        self.abilities = Abilities.of(params.capabilities)
        self.news = News(self.server, self.abilities)
        self.models.shows_progress, self.models.asks = self.abilities.progress, self.abilities.questions
        self.preferences.initialize(params.initialization_options, self.abilities)

    async def begin(self) -> None:
        """Ask for settings, and explain what was opened meanwhile."""
        self.preferences.register()
        self.session = self._new_session(on_change=self._on_change, on_state=self._on_state)
        self._on_state(self.session.state, "it starts with the first document that is explained")
        self._is_ready.set()

    async def end(self) -> None:
        """Cancel what runs, and leave the daemon."""
        self.tasks.cancel_all()
        self.news.stop()
        if self.session is not None:
            await self.session.stop()

    async def client(self) -> AsyncClient:
        """The connection to the daemon, which the first who needs it starts; `unavailable` while there is none."""
        if self.session is not None:
            await self.session.start()
        if self.session is None or self.session.client is None:
            raise SaliscopeError("unavailable", "there is no connection to the daemon at the moment")
        return self.session.client

    # -- documents --------------------------------------------------------------------------------

    def buffer(self, uri: str) -> Buffer:
        """An open document; `bad_request` for another."""
        if uri not in self.buffers:
            raise SaliscopeError("bad_request", f"the document {uri} is not open")
        return self.buffers[uri]

    async def begun(self, uri: str) -> Buffer:
        """An open document when its settings are known; `bad_request` for another."""
        await self.tasks.finished(f"open {uri}")
        return self.buffer(uri)

    def open(self, item: types.TextDocumentItem) -> None:
        """Take a document in; it is explained as soon as its settings are known."""
        if item.uri in self.buffers:
            self.close(item.uri)
        encoding: Any = self.server.protocol.workspace.position_encoding or "utf-16"
        lines = Lines(item.text, getattr(encoding, "value", encoding))
        buffer = self.buffers[item.uri] = Buffer(item.uri, item.version, item.language_id, lines)
        self.tasks.start(f"open {item.uri}", self._start(buffer))

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Take edits in, and hand them on."""
        buffer = self.buffers[params.text_document.uri]
        edits = [buffer.lines.change(event) for event in params.content_changes]
        buffer.version, buffer.edited_s = params.text_document.version, asyncio.get_running_loop().time()
        if edits:
            buffer.caret = edits[-1].start + len(edits[-1].text)
        if buffer.live is not None and self.session is not None:
            self.session.change(buffer.uri, edits, buffer.text)
        too_long = len(buffer.text) > buffer.settings.max_characters
        if self._is_ready.is_set() and too_long != (buffer.limit is not None):
            self.explain(buffer)

    def saved(self, uri: str) -> None:
        """A document was saved: one that is explained then is, and settings of a file hold."""
        if uri.endswith(f"/{FILE}"):
            self.reconsider()
        buffer = self.buffers.get(uri)
        if buffer is not None and buffer.settings.when == "onSave":
            self.flush(buffer)

    def close(self, uri: str) -> None:
        """Let a document go."""
        buffer = self.buffers.pop(uri, None)
        if buffer is None:
            return
        self.tasks.cancel(f"open {uri}")
        self.preferences.forget(uri)
        self._leave(buffer)
        self.news.forget(buffer)

    def focus(self, buffer: Buffer, offset: int) -> None:
        """The reader is here."""
        buffer.caret = offset
        if self.session is not None and buffer.live is not None:
            self.session.focus(buffer.uri, offset)

    def flush(self, buffer: Buffer) -> None:
        """Have the text as it is now explained, whatever the trigger says."""
        if self.session is not None and buffer.live is not None:
            self._connect()
            self.session.flush(buffer.uri)

    def hold(self, buffer: Buffer) -> None:
        """Compute no more of a document that is explained only on command, as if it had just been opened."""
        if buffer.settings.when == "manual" and self.buffers.get(buffer.uri) is buffer:
            self._leave(buffer)
            self.explain(buffer)

    async def wait(self, buffer: Buffer, ready: Callable[[], bool]) -> None:
        """Wait until something is so, or until all of a document is explained, or refused."""
        if self.session is None:
            return
        waits = (self.news.until(buffer, ready, None), self.session.settled(buffer.uri))
        tasks = [asyncio.ensure_future(one) for one in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            # The document may have been closed before it was asked for.
            await asyncio.gather(*tasks, return_exceptions=True)

    def explain(self, buffer: Buffer) -> None:
        """Have a document explained as its settings say now; what did not change goes on."""
        old, buffer.settings = buffer.settings, self.preferences.resolve(buffer)
        settings = buffer.settings
        buffer.encoder.top_k = settings.top_k
        limit = settings.max_characters
        too_long = f"the document has {len(buffer.text):,} characters; saliscope.maxCharacters is {limit:,}"
        buffer.limit = too_long if len(buffer.text) > limit else None
        if buffer.limit is not None or settings.model is UNSET:
            self._leave(buffer)
            if buffer.limit is None:
                self._hint()
        else:
            self._explain(buffer, {**settings.options, "language": buffer.language}, old.when != settings.when)
        self.news.add(buffer, None)

    def reconsider(self) -> None:
        """Settings may be others: ask the client, read the files, and go on with what holds."""
        for buffer in self.buffers.values():
            self.tasks.start(f"open {buffer.uri}", self._start(buffer))

    async def _start(self, buffer: Buffer) -> None:
        await self._is_ready.wait()
        await self.preferences.ask(buffer.uri)
        self.explain(buffer)

    def _explain(self, buffer: Buffer, options: dict[str, Any], anew: bool) -> None:
        assert self.session is not None
        when = buffer.settings.when
        if when != "manual":
            self._connect()
        # With the same options nothing is asked anew, and what failed could go well now.
        if buffer.live is None or anew or buffer.live.failed is not None:
            # No path: which settings of a file hold is decided here, where the editor's are known too.
            buffer.live = self.session.open(buffer.uri, buffer.text, trigger=when, **options)
        elif buffer.live.options != options:
            self.session.configure(buffer.uri, **options)
        self.session.pace(buffer.uri, buffer.settings.debounce / 1000)
        if self.session.client is not None and when != "manual":
            self.models.need(self.session.client, options["model"])

    def tell(self, buffer: Buffer, ids: list[int]) -> None:
        """There is something else to say of these records, if the document is still open."""
        if self.buffers.get(buffer.uri) is buffer:
            self.news.add(buffer, ids)

    async def restart(self) -> dict[str, Any]:
        """End the daemon, which its session starts again: who asked for it needs no warning that it has gone."""
        client = await self.client()
        self._is_outage_told = True
        try:
            return await client.shutdown()
        except SaliscopeError:
            # It runs on, and when it goes, nobody has asked for that.
            self._is_outage_told = False
            raise

    def _connect(self) -> None:
        if self.session is not None and self.session.state == "idle":
            self.tasks.start("connect", self.session.start())

    def _leave(self, buffer: Buffer) -> None:
        if buffer.live is not None and self.session is not None:
            self.session.close(buffer.uri)
        buffer.live = None

    # -- what the session says --------------------------------------------------------------------

    def _on_change(self, document: LiveDocument, ids: list[int] | None) -> None:
        buffer = self.buffers.get(document.name)
        if buffer is not None and buffer.live is document:
            self.news.add(buffer, ids)

    def _on_state(self, state: SessionState, message: str) -> None:
        log.info("the daemon: %s %s", state, message)
        if self.abilities.status:
            self.server.protocol.tell(STATUS, {"state": state, "message": message})
        if state == "connected":
            self._is_outage_told = False
            explained = [one.settings for one in self.buffers.values() if one.live is not None]
            for model in {str(one.model) for one in explained if one.when != "manual"}:
                # By the time this is told, the connection may be lost again.
                if self.session is not None and self.session.client is not None:
                    self.models.need(self.session.client, model)
        elif state in ("lost", "failed") and not self._is_outage_told:
            self._is_outage_told = True
            what = "the daemon has gone" if state == "lost" else f"the daemon cannot be reached: {message}"
            self._show(types.MessageType.Warning, f"{what}. Trying again until it is back.")

    def _loaded(self, model: str, is_new: bool) -> None:
        """A model is there now: what failed for want of it is tried again, or is about to fail."""
        for buffer in self.buffers.values():
            live = buffer.live
            if buffer.settings.model == model and live is not None and (is_new or live.failed is not None):
                self._leave(buffer)
                self.explain(buffer)

    def _hint(self) -> None:
        if not self._is_hinted and not self.abilities.hints:
            self._is_hinted = True
            self._show(types.MessageType.Info, NO_MODEL)

    def _show(self, kind: types.MessageType, message: str) -> None:
        self.server.window_show_message(types.ShowMessageParams(kind, f"saliscope: {message}"))
