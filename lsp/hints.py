"""Numbers behind the strongest tokens, for those who want them in the text: off by default."""

from __future__ import annotations

from lsprotocol import types

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.painting import pieces
from saliscope.lsp.words import named, score_of, side_of


def hints(buffer: Buffer, range: types.Range) -> list[types.InlayHint]:
    """A hint behind each of the strongest tokens of the records that touch a range."""
    begin, stop = buffer.lines.span(range)
    found = []
    for record in buffer.records:
        explanation = record.explanation
        if explanation is None or record.end < begin or record.start > stop:
            continue
        found += [
            types.InlayHint(
                position=buffer.lines.position(piece.end),
                label=score_of(explanation, piece.score),
                padding_left=True,
                tooltip=f"{named(buffer.text, piece)} {side_of(explanation, piece.score)}",
            )
            for piece in pieces(record, buffer.text)
            if piece.rank <= buffer.settings.top_k and piece.bucket
        ]
    return found
