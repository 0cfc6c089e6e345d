"""Colours for editors that show them as backgrounds: off by default, and never a change of the text."""

from __future__ import annotations

from lsprotocol import types

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.painting import pieces
from saliscope.render import peak_of
from saliscope.render.palettes import BLUE_ORANGE, rgb


def colours(buffer: Buffer) -> list[types.ColorInformation]:
    """Each coloured feature, as opaque as its score is large."""
    found = []
    for record in buffer.records:
        peak = peak_of(record.explanation.scores) if record.explanation else 0.0
        for piece in pieces(record, buffer.text):
            if piece.bucket:
                share = abs(piece.score) / peak
                colour = _colour(piece.score, share)
                found.append(types.ColorInformation(range=buffer.lines.range(piece.start, piece.end), color=colour))
    return found


def presentation(buffer: Buffer, range: types.Range) -> list[types.ColorPresentation]:
    """What a colour picker may write: the text that is there already."""
    start, end = buffer.lines.span(range)
    text = buffer.text[start:end]
    return [types.ColorPresentation(label=text, text_edit=types.TextEdit(range=range, new_text=text))]


def _colour(score: float, share: float) -> types.Color:
    red, green, blue = rgb(BLUE_ORANGE.light[3 if score > 0 else -3].ground)
    return types.Color(red=red / 255, green=green / 255, blue=blue / 255, alpha=round(share, 3))
