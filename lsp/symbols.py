"""The outline: each record with its beginning as name, prediction and label as detail."""

from __future__ import annotations

from lsprotocol import types

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.lenses import title
from saliscope.lsp.words import short
from saliscope.protocol.live import LiveRecord


def symbols(buffer: Buffer) -> list[types.DocumentSymbol]:
    """One symbol a record, in order."""
    return [_symbol(buffer, record) for record in buffer.records if record.start < record.end]


def flat(found: list[types.DocumentSymbol], uri: str) -> list[types.SymbolInformation]:
    """The same for a client that knows only the older form."""
    return [
        types.SymbolInformation(location=types.Location(uri, one.range), name=one.name, kind=one.kind) for one in found
    ]


def _symbol(buffer: Buffer, record: LiveRecord) -> types.DocumentSymbol:
    explanation = record.explanation
    text = buffer.source_of(record) if explanation is None else explanation.text
    whole = buffer.lines.range(record.start, record.end)
    return types.DocumentSymbol(
        name=short(text[:200]), kind=types.SymbolKind.String, range=whole, selection_range=whole, detail=title(record)
    )
