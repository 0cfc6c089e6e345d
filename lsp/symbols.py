"""The outline: each record with its beginning as name, prediction and label as detail."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.lenses import title
from saliscope.lsp.words import short
from saliscope.protocol.live import LiveRecord


def symbols(buffer: Buffer, *, nested: bool) -> list[dict[str, Any]]:
    """One symbol a record, in order, as JSON; not `nested` in the older form, for clients that know only that."""
    if buffer.is_alien:
        return []
    return [_symbol(buffer, record, nested) for record in buffer.records if record.start < record.end]


def _symbol(buffer: Buffer, record: LiveRecord, nested: bool) -> dict[str, Any]:
    explanation = record.explanation
    text = buffer.text[record.start : record.end][:200] if explanation is None else explanation.text[:200]
    whole = buffer.lines.plain_range(record.start, record.end)
    found = {"name": short(text), "kind": types.SymbolKind.String.value}
    if nested:
        return {**found, "range": whole, "selectionRange": whole, "detail": title(record)}
    return {**found, "location": {"uri": buffer.uri, "range": whole}}
