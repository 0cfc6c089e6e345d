"""What each document's user has set: asked of the client, sent by it, read from files, chosen by commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from lsprotocol import types

from saliscope.lsp.abilities import Abilities
from saliscope.lsp.buffers import Buffer
from saliscope.lsp.problems import SOURCE
from saliscope.lsp.pygls_gaps import Server
from saliscope.lsp.settings import SECTION, Files, Settings, read_settings, resolve
from saliscope.protocol.workspace import FILE, Workspace

log = logging.getLogger(__name__)
#: Seconds that a client may take to say its settings; then those that are known hold.
_ANSWER_S: Final = 2.0


class Preferences:
    """The settings of one client's documents; `commanded` holds for all of them."""

    def __init__(self, server: Server) -> None:
        self._server, self._abilities = server, Abilities()
        self.commanded: dict[str, Any] = {}
        self._initial: dict[str, Any] = {}
        self._pushed: dict[str, Any] = {}
        self._scoped: dict[str, dict[str, Any]] = {}
        self._files = Files(self._tell_problems)

    def initialize(self, options: object, abilities: Abilities) -> None:
        """Take the client's initialization options."""
        self._abilities, self._initial = abilities, self._read(options)

    def push(self, found: object) -> None:
        """Take what the client sent by itself."""
        if isinstance(found, Mapping) and found:
            self._pushed = self._read(found)

    async def ask(self, uri: str) -> None:
        """Ask the client what it has set for a document."""
        self._scoped[uri] = await self._asked(uri)

    def forget(self, uri: str) -> None:
        """A document was closed."""
        self._scoped.pop(uri, None)

    def resolve(self, buffer: Buffer) -> Settings:
        """What holds for a document now."""
        editor = self._initial | self._pushed | self._scoped.get(buffer.uri, {})
        return resolve(editor, self._files.settings(buffer.path), self.commanded | buffer.commanded)

    def register(self) -> None:
        """Have the client tell of changes of `saliscope.toml`, and of the settings."""
        wishes = []
        if self._abilities.watches_files:
            watch = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(f"**/{FILE}")])
            wishes.append(types.Registration(FILE, types.WORKSPACE_DID_CHANGE_WATCHED_FILES, watch))
        if self._abilities.watches_settings:
            section = types.DidChangeConfigurationRegistrationOptions(section=SECTION)
            wishes.append(types.Registration(SECTION, types.WORKSPACE_DID_CHANGE_CONFIGURATION, section))
        if wishes:
            self._server.client_register_capability(types.RegistrationParams(registrations=wishes))

    async def _asked(self, uri: str) -> dict[str, Any]:
        if not self._abilities.configuration:
            return {}
        item = types.ConfigurationItem(section=SECTION, scope_uri=uri)
        try:
            async with asyncio.timeout(_ANSWER_S):
                found = await self._server.workspace_configuration_async(types.ConfigurationParams(items=[item]))
        except Exception as error:
            # A client that says it answers and does not: what it said before holds, or its initialization options.
            log.warning("the client did not say its settings: %s", type(error).__name__)
            return self._scoped.get(uri, {})
        return self._read(found[0] if found else None)

    def _read(self, found: object) -> dict[str, Any]:
        kept, problems = read_settings(found)
        for problem in problems:
            log.warning("%s; it is not used", problem)
            self._server.window_log_message(types.LogMessageParams(types.MessageType.Warning, f"saliscope: {problem}"))
        return kept

    def _tell_problems(self, read: Workspace) -> None:
        """What is wrong with a settings file stands at its lines."""
        found = [
            types.Diagnostic(
                range=types.Range(types.Position(one.line - 1, 0), types.Position(one.line, 0)),
                message=one.message, severity=types.DiagnosticSeverity.Warning, code="settings", source=SOURCE,
            )
            for one in read.problems
        ]  # fmt: skip
        told = types.PublishDiagnosticsParams(uri=read.file.as_uri(), diagnostics=found)
        self._server.text_document_publish_diagnostics(told)
