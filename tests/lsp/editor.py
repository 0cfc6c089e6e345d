"""An editor in this process: a client of pytest-lsp, joined to the server by two streams in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from lsprotocol import types
from pygls.io_ import run_async
from pytest_lsp import LanguageClient, make_test_lsp_client

from saliscope.lsp.decorations import METHOD as DECORATIONS
from saliscope.lsp.features import serve
from saliscope.lsp.pipes import Reading
from saliscope.lsp.positions import Lines
from saliscope.lsp.pygls_gaps import Discreet, Protocol, Server
from saliscope.lsp.service import STATUS, Service
from saliscope.lsp.tokens import LEGEND
from saliscope.protocol.edits import Edit


class _Down:
    """What the server writes the client reads."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()

    def write(self, data: bytes) -> None:
        self.reader.feed_data(data)

    def close(self) -> None:
        self.reader.feed_eof()


class _Up:
    """What the client writes the server reads."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def write(self, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(self._reading.data_received, data)

    def close(self) -> None:
        asyncio.get_running_loop().call_soon(self._reading.connection_lost, None)


class Editor:
    """A client with its documents; places are code points, and words of the text stand for their places."""

    def __init__(self, new_session: Callable[..., Any]) -> None:
        self.client: LanguageClient = make_test_lsp_client()
        self.server = Server("saliscope", "test", protocol_cls=Protocol)
        self.service: Service = serve(self.server, new_session)
        self.texts: dict[str, Lines] = {}
        self.versions: dict[str, int] = {}
        self.published: list[types.PublishDiagnosticsParams] = []
        self.decorated: list[Any] = []
        self.states: list[str] = []
        self.refreshed: list[str] = []
        self.encoding: Any = "utf-16"
        self.result: types.InitializeResult | None = None
        self._hearing: asyncio.Task[None] | None = None
        self.formatter = Discreet("%(name)s %(message)s")
        self._listen()

    def _listen(self) -> None:
        client = self.client
        for method in (types.WORKSPACE_SEMANTIC_TOKENS_REFRESH, types.WORKSPACE_CODE_LENS_REFRESH):
            client.feature(method)(lambda params=None, method=method: self.refreshed.append(method))
        client.feature(types.CLIENT_REGISTER_CAPABILITY)(lambda params: None)
        client.feature(DECORATIONS)(lambda params: self.decorated.append(params))
        client.feature(STATUS)(lambda params: self.states.append(params.state))
        client.protocol.fm.features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS] = self._publish

    def _publish(self, params: types.PublishDiagnosticsParams) -> None:
        self.published.append(params)
        self.client.diagnostics[params.uri] = params.diagnostics

    async def start(self, capabilities: types.ClientCapabilities | None = None, **settings: Any) -> None:
        """Join client and server, and open the session; without settings the model is `fake`."""
        down = _Down()
        self.server.protocol.set_writer(down)
        self.client.protocol.set_writer(_Up(Reading(self.server.protocol.read)))
        self._hearing = asyncio.create_task(
            run_async(
                threading.Event(), down.reader, self.client.protocol, error_handler=self.client.report_server_error
            )
        )
        options = {"saliscope": {"model": "fake", "debounce": 1, **settings}}
        self.result = await self.client.initialize_session(
            types.InitializeParams(
                capabilities=capabilities or types.ClientCapabilities(), initialization_options=options
            )
        )
        encoding = self.result.capabilities.position_encoding or "utf-16"
        self.encoding = getattr(encoding, "value", encoding)

    async def stop(self) -> None:
        if not self.server.protocol.is_shut_down:
            await self.client.shutdown_async(None)
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.wait({self._hearing})

    async def until(self, ask: Callable[[], Any]) -> Any:
        """Ask again until the answer is true; the test's time limit is the only one."""
        while not (answer := ask()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return answer

    # -- texts ------------------------------------------------------------------------------------

    def open(self, uri: str, text: str, language: str = "plaintext") -> None:
        self.texts[uri], self.versions[uri] = Lines(text, self.encoding), 1
        item = types.TextDocumentItem(uri=uri, language_id=language, version=1, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def edit(self, uri: str, *edits: Edit) -> None:
        changes: list[Any] = []
        for edit in edits:
            lines = self.texts[uri]
            range = lines.range(edit.start, edit.end)
            changes.append(types.TextDocumentContentChangePartial(range=range, text=edit.text))
            # No editor can say a place between \r and \n: the end of the line is meant.
            lines.edit(Edit(*lines.span(range), edit.text))
        self._changed(uri, changes)

    def rewrite(self, uri: str, text: str) -> None:
        """Send the whole text, as clients may."""
        self.texts[uri] = Lines(text, self.encoding)
        self._changed(uri, [types.TextDocumentContentChangeWholeDocument(text=text)])

    def replace(self, uri: str, old: str, new: str) -> None:
        start = self.texts[uri].text.index(old)
        self.edit(uri, Edit(start, start + len(old), new))

    def save(self, uri: str) -> None:
        self.client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))

    def _changed(self, uri: str, changes: list[Any]) -> None:
        self.versions[uri] += 1
        name = types.VersionedTextDocumentIdentifier(uri=uri, version=self.versions[uri])
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(name, changes))

    async def settle(self, uri: str) -> None:
        """Until everything that was typed is explained, and told."""
        await self.until(lambda: self._is_settled(uri))
        # What was sent before an answer has come before it.
        await self.command("printDebugInformation")

    def _is_settled(self, uri: str) -> bool:
        buffer = self.service.buffers.get(uri)
        return (
            buffer is not None
            and buffer.version == self.versions[uri]
            and (buffer.limit is not None or (buffer.live is not None and buffer.live.is_settled))
            and self.service.news.is_told
        )

    # -- requests ---------------------------------------------------------------------------------

    def at(self, uri: str, word: str, inside: int = 0) -> types.Position:
        return self.texts[uri].position(self.texts[uri].text.index(word) + inside)

    async def hover(self, uri: str, word: str) -> types.Hover | None:
        name = types.TextDocumentIdentifier(uri)
        return await self.client.text_document_hover_async(types.HoverParams(name, self.at(uri, word)))

    async def hover_text(self, uri: str, word: str) -> str:
        found = await self.hover(uri, word)
        assert found is not None
        assert isinstance(found.contents, types.MarkupContent)
        return found.contents.value

    async def tokens(self, uri: str) -> types.SemanticTokens:
        params = types.SemanticTokensParams(types.TextDocumentIdentifier(uri))
        found = await self.client.text_document_semantic_tokens_full_async(params)
        assert found is not None
        return found

    async def coloured(self, uri: str) -> list[tuple[str, str, list[str]]]:
        """(text, type, modifiers) of each semantic token."""
        return self.decode(uri, list((await self.tokens(uri)).data))

    def decode(self, uri: str, data: list[int]) -> list[tuple[str, str, list[str]]]:
        lines, line, column, found = self.texts[uri], 0, 0, []
        for down, right, length, kind, flags in zip(*[iter(data)] * 5, strict=True):
            line, column = line + down, right if down else column + right
            start = lines.offset(types.Position(line, column))
            end = lines.offset(types.Position(line, column + length))
            names = [name for bit, name in enumerate(LEGEND.token_modifiers) if flags >> bit & 1]
            found.append((lines.text[start:end], LEGEND.token_types[kind], names))
        return found

    async def command(self, name: str, *arguments: Any) -> Any:
        params = types.ExecuteCommandParams(command=f"saliscope.{name}", arguments=list(arguments))
        return await self.client.workspace_execute_command_async(params)

    def problems(self, uri: str) -> list[tuple[str, str]]:
        """(code, text) of each diagnostic that was sent last."""
        lines = self.texts[uri]
        return [
            (str(one.code), lines.text[slice(*lines.span(one.range))]) for one in self.client.diagnostics.get(uri, ())
        ]
