"""The requests and notifications of the protocol, each handed to the file that answers it. None of them blocks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from lsprotocol import types

from saliscope.lsp import colours, highlights, hints, hovers, lenses, problems, symbols, tokens
from saliscope.lsp.actions import KIND, actions
from saliscope.lsp.arguments import Token
from saliscope.lsp.buffers import Buffer
from saliscope.lsp.commands import COMMANDS, Command
from saliscope.lsp.plain import Plain
from saliscope.lsp.pygls_gaps import Server
from saliscope.lsp.service import NewSession, Service
from saliscope.protocol.live import LiveSession

log = logging.getLogger(__name__)
#: Seconds that a hover waits for news; then it says what is known.
HOVER_S: Final = 0.15
FOCUS: Final = "saliscope/focus"


def serve(server: Server, new_session: NewSession = LiveSession) -> Service:
    """Have a server answer everything that it can."""
    service = Service(server, new_session)
    _life(server, service)
    _texts(server, service)
    _shown(server, service)
    _asked(server, service)
    for name, command in COMMANDS.items():
        server.command(name)(_bound(service, command))
    return service


def _bound(service: Service, command: Command) -> Callable[[list[Any], Token], Any]:
    async def run(arguments: list[Any], token: Token) -> Any:
        return await command(service, arguments, token)

    return run


def _life(server: Server, service: Service) -> None:
    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        service.initialize(params)
        if service.abilities.pulls_diagnostics:
            # Announced to nobody else: who is sent them and pulls them too shows them twice.
            _pulled(server, service)

    @server.feature(types.INITIALIZED)
    async def initialized(params: types.InitializedParams) -> None:
        await service.begin()

    @server.feature(types.SHUTDOWN)
    async def shutdown(params: None) -> None:
        await service.end()

    @server.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)
    def cancel_progress(params: types.WorkDoneProgressCancelParams) -> None:
        service.tasks.cancel_progress(params.token)

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def configured(params: types.DidChangeConfigurationParams) -> None:
        service.preferences.push(params.settings)
        service.reconsider()

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def files_changed(params: types.DidChangeWatchedFilesParams) -> None:
        service.reconsider()


def _texts(server: Server, service: Service) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        service.open(params.text_document)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        if params.text_document.uri in service.buffers:
            service.change(params)
        else:
            log.warning("a change of a document that is not open")

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        service.saved(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        service.close(params.text_document.uri)

    @server.feature(FOCUS)
    def focused(params: Any) -> None:
        buffer = service.buffers.get(params.uri)
        if buffer is not None:
            place = types.Position(int(params.position.line), int(params.position.character))
            service.focus(buffer, buffer.lines.offset(place))


def _shown(server: Server, service: Service) -> None:
    def wanted(params: Any, setting: str) -> Buffer | None:
        """The document of a request, if it is open and the feature is on."""
        buffer = service.buffers.get(params.text_document.uri)
        return buffer if buffer is not None and getattr(buffer.settings, setting) else None

    @server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, tokens.LEGEND)
    def tokens_full(params: types.SemanticTokensParams) -> Plain:
        buffer = wanted(params, "semantic_tokens")
        return tokens.plain(buffer.encoder.full(buffer.records, buffer.lines) if buffer else None)

    @server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL_DELTA)
    def tokens_delta(params: types.SemanticTokensDeltaParams) -> Plain:
        buffer = wanted(params, "semantic_tokens")
        if buffer is None:
            return tokens.plain(None)
        return tokens.plain(buffer.encoder.delta(buffer.records, buffer.lines, params.previous_result_id))

    @server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE)
    def tokens_range(params: types.SemanticTokensRangeParams) -> Plain:
        buffer = wanted(params, "semantic_tokens")
        if buffer is None:
            return tokens.plain(None)
        return tokens.plain(buffer.encoder.range(buffer.records, buffer.lines, buffer.lines.span(params.range)))

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    def code_lens(params: types.CodeLensParams) -> Plain:
        buffer = wanted(params, "code_lens")
        return Plain(lenses.lenses(buffer) if buffer else [])

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def document_symbol(params: types.DocumentSymbolParams) -> Plain:
        buffer = wanted(params, "document_symbols")
        return Plain(symbols.symbols(buffer, nested=service.abilities.nested_symbols) if buffer else [])

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_COLOR)
    def document_color(params: types.DocumentColorParams) -> list[types.ColorInformation]:
        buffer = wanted(params, "document_color")
        return colours.colours(buffer) if buffer else []

    @server.feature(types.TEXT_DOCUMENT_COLOR_PRESENTATION)
    def color_presentation(params: types.ColorPresentationParams) -> list[types.ColorPresentation]:
        buffer = wanted(params, "document_color")
        return colours.presentation(buffer, params.range) if buffer else []

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    def inlay_hint(params: types.InlayHintParams) -> list[types.InlayHint]:
        buffer = wanted(params, "inlay_hints")
        return hints.hints(buffer, params.range) if buffer else []

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    def document_highlight(params: types.DocumentHighlightParams) -> list[types.DocumentHighlight] | None:
        buffer = wanted(params, "document_highlight")
        return highlights.highlights(buffer, buffer.lines.offset(params.position)) if buffer else None


def _asked(server: Server, service: Service) -> None:
    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        buffer = service.buffers.get(params.text_document.uri)
        if buffer is None or not buffer.settings.hover:
            return None
        version, offset = buffer.version, buffer.lines.offset(params.position)
        service.focus(buffer, offset)

        def is_known() -> bool:
            record = buffer.record_at(offset)
            return record is not None and record.state == "final"

        await service.news.until(buffer, is_known, HOVER_S)
        if buffer.version != version:
            # The position is one of a text that is gone.
            return None
        return hovers.hover(buffer, offset, markdown=service.abilities.markdown)

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix, KIND]),
    )
    def code_action(params: types.CodeActionParams) -> list[types.CodeAction | types.Command]:
        buffer = service.buffers.get(params.text_document.uri)
        if buffer is None or not buffer.settings.code_actions:
            return []
        found = actions(buffer, params)
        if service.abilities.action_literals:
            return list(found)
        return [one.command for one in found if one.command is not None]


def _pulled(server: Server, service: Service) -> None:
    @server.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, types.DiagnosticOptions(False, False, identifier=problems.SOURCE))
    def diagnostic(params: types.DocumentDiagnosticParams) -> Plain:
        buffer = service.buffers.get(params.text_document.uri)
        if buffer is None:
            return Plain({"kind": "full", "items": []})
        given = service.news.problems.asked(buffer, params.previous_result_id)
        if given.name == params.previous_result_id:
            return Plain({"kind": "unchanged", "resultId": given.name})
        return Plain({"kind": "full", "resultId": given.name, "items": given.diagnostics})
