"""Live documents: opened once, changed by edits, explained record by record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import msgspec

from saliscope.protocol.documents import DocumentChanged, DocumentState
from saliscope.protocol.edits import Edit
from saliscope.protocol.parameters import Target
from saliscope.protocol.verbs.given import declared
from saliscope.protocol.verbs.verb import Call, answer, verb
from saliscope.protocol.watching import OnAttribution, OnFailed, OnFindings, OnSettled, Watcher


class RecordOptions(TypedDict, total=False):
    """How the records of a document are found and explained (`documents.DocumentOptions` has the meaning of each)."""

    format: str | None
    language: str
    field: str | None
    pair: str | None
    label: str | None
    model: str | None
    method: str | None
    target: Target | str | int | None
    scale: str | None
    granularity: str
    seed: int
    params: dict[str, Any]
    windows: str
    low_margin: float
    shortcut: float | None
    until: str
    max_ms: float | None
    max_rows: int | None


class DocumentVerbs:
    """Open, change, look at and close documents."""

    _watchers: dict[str, Watcher]

    @verb
    def open_document(
        self,
        document: str,
        text: str,
        *,
        version: int = 0,
        on_attribution: OnAttribution | None = None,
        on_findings: OnFindings | None = None,
        on_failed: OnFailed | None = None,
        on_settled: OnSettled | None = None,
        **options: Unpack[RecordOptions],
    ) -> Call[DocumentState]:
        """Open a live document under a path or a name; what is found out about its records goes to the callbacks.

        They are called while any call, or `listen`, waits, or on the event loop. `options`: format, language, field,
        pair, label; model, method, target, scale, granularity, seed, params, windows; low_margin, shortcut; max_ms,
        max_rows, until.
        """
        fields = {"document": document, "text": text, "version": version}
        fields |= declared("open_document", options, RecordOptions)
        self._watchers[document] = Watcher(on_attribution, on_findings, on_failed, on_settled)
        return Call("document/open", answer(DocumentState), fields)

    @verb
    def change_document(self, document: str, base: int, version: int, edits: Sequence[Edit]) -> Call[DocumentChanged]:
        """Edit a document from version `base` to `version`, each edit in the positions that those before it leave."""
        plain = [msgspec.to_builtins(edit) for edit in edits]
        fields = {"document": document, "base": base, "version": version, "edits": plain}
        return Call("document/change", answer(DocumentChanged), fields)

    @verb
    def focus_document(self, document: str, version: int, at: int) -> Call[DocumentState]:
        """Have the record at a code point explained first, then those near it."""
        return Call("document/focus", answer(DocumentState), {"document": document, "version": version, "at": at})

    @verb
    def configure_document(self, document: str, **options: Unpack[RecordOptions]) -> Call[DocumentState]:
        """Say anew how a document is explained; `options` as for `open_document`, what is left out is the default."""
        fields = {"document": document, **declared("configure_document", options, RecordOptions)}
        return Call("document/configure", answer(DocumentState), fields)

    @verb
    def close_document(self, document: str) -> Call[DocumentState]:
        """Close a document; nothing more is told of it."""
        self._watchers.pop(document, None)
        return Call("document/close", answer(DocumentState), {"document": document})
