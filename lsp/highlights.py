"""The tokens of the record under the caret, for the target as reads, against it as writes: off by default."""

from __future__ import annotations

from lsprotocol import types

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.painting import pieces


def highlights(buffer: Buffer, offset: int) -> list[types.DocumentHighlight]:
    """The coloured tokens of the record at a code point."""
    record = buffer.record_at(offset)
    if record is None:
        return []
    kinds = {True: types.DocumentHighlightKind.Read, False: types.DocumentHighlightKind.Write}
    return [
        types.DocumentHighlight(range=buffer.lines.range(piece.start, piece.end), kind=kinds[piece.score > 0])
        for piece in pieces(record, buffer.text)
        if piece.bucket
    ]
