"""What a client can do, read once from its capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsprotocol import types


@dataclass(frozen=True, slots=True)
class Abilities:
    """Everything is off until a client says otherwise."""

    pulls_diagnostics: bool = False
    """Asks for diagnostics itself, and can be told that there are others; a client that cannot is sent them."""
    refreshes_tokens: bool = False
    refreshes_lenses: bool = False
    refreshes_hints: bool = False
    related_information: bool = False
    unnecessary_tag: bool = False
    code_links: bool = False
    markdown: bool = False
    action_literals: bool = False
    nested_symbols: bool = False
    progress: bool = False
    configuration: bool = False
    watches_files: bool = False
    watches_settings: bool = False
    questions: bool = False
    """Shows a message with buttons."""
    decorations: bool = False
    status: bool = False
    hints: bool = False
    """Shows by itself what `saliscope.document` says, so that nothing pops up where no model is chosen."""

    @classmethod
    def of(cls, client: types.ClientCapabilities) -> Abilities:
        """The abilities that capabilities tell of; what is missing in them is off."""
        text = client.text_document or types.TextDocumentClientCapabilities()
        workspace = client.workspace or types.WorkspaceClientCapabilities()
        window = client.window or types.WindowClientCapabilities()
        told = text.publish_diagnostics or types.PublishDiagnosticsClientCapabilities()
        own = _own(client.experimental)
        symbols = text.document_symbol
        tags = told.tag_support.value_set if told.tag_support else ()
        watched, configured = workspace.did_change_watched_files, workspace.did_change_configuration
        return cls(
            pulls_diagnostics=bool(text.diagnostic and workspace.diagnostics and workspace.diagnostics.refresh_support),
            refreshes_tokens=bool(workspace.semantic_tokens and workspace.semantic_tokens.refresh_support),
            refreshes_lenses=bool(workspace.code_lens and workspace.code_lens.refresh_support),
            refreshes_hints=bool(workspace.inlay_hint and workspace.inlay_hint.refresh_support),
            related_information=bool(told.related_information),
            unnecessary_tag=types.DiagnosticTag.Unnecessary in tags,
            code_links=bool(told.code_description_support),
            markdown=bool(text.hover and types.MarkupKind.Markdown in (text.hover.content_format or ())),
            action_literals=bool(text.code_action and text.code_action.code_action_literal_support),
            nested_symbols=bool(symbols and symbols.hierarchical_document_symbol_support),
            progress=bool(window.work_done_progress),
            configuration=bool(workspace.configuration),
            watches_files=bool(watched and watched.dynamic_registration),
            watches_settings=bool(configured and configured.dynamic_registration),
            questions=bool(window.show_message and window.show_message.message_action_item),
            decorations=bool(own.get("decorations")),
            status=bool(own.get("status")),
            hints=bool(own.get("hints")),
        )


def _own(experimental: Any) -> Mapping[str, Any]:
    """`experimental.saliscope`; clients put anything into `experimental`, Emacs an empty list."""
    found = experimental.get("saliscope") if isinstance(experimental, Mapping) else None
    return found if isinstance(found, Mapping) else {}
