"""A text whose tokens are its words, and its variants as strings: what is not hidden stays as it is, byte by byte."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from saliscope.explainers.queries import Piece
from saliscope.explainers.texts.encoding import Encoding, IntArray, Token
from saliscope.explainers.texts.features import word_spans
from saliscope.explainers.variants import Hiding, Masked, Replaced

MASKED = -1
"""The id that stands for the mask text."""
OTHERS = 1 << 32
"""Ids from here on are words that are not of the text."""


def encode_words(text: str) -> Encoding:
    """The words of a text as its tokens; the id of a word is its place, so that nothing is kept of texts seen."""
    spans = list(word_spans(text))
    tokens = tuple(Token(text[start:end], start, end, False, (i,), (i,)) for i, (start, end) in enumerate(spans))
    return Encoding(text, np.arange(len(tokens), dtype=np.int64), tokens)


def write_rows(piece: Piece, mask: str, others: Mapping[int, str]) -> list[str]:
    """The rows of a piece as texts: hidden words give way to `mask` in place, or go ("drop"); blanks all stay.

    A text with nothing left holds one `mask` where the first word was.
    """
    encoding, rows = piece.query.encoding, piece.query.rows
    if isinstance(rows, Masked):
        if rows.hiding == "attention":
            raise TypeError("a function of texts has no attention to keep off a word")
        hidden = rows.hidden(len(encoding), piece.start, piece.stop)
        ids = np.where(hidden, MASKED, encoding.ids)
        return [_write(encoding, row, mask, rows.hiding, others) for row in ids]
    if isinstance(rows, Replaced):
        return [_write(encoding, row, mask, "replace", others) for row in rows.ids[piece.start : piece.stop]]
    if rows is not None:
        raise TypeError("a function of texts has no embeddings to move")
    return [encoding.text]


def _write(encoding: Encoding, ids: IntArray, mask: str, hiding: Hiding, others: Mapping[int, str]) -> str:
    text, tokens = encoding.text, encoding.tokens
    kept = "" if hiding == "drop" else mask
    nothing_left = bool((ids == MASKED).all())
    parts, at = [], 0
    for index, (token, token_id) in enumerate(zip(tokens, ids.tolist(), strict=True)):
        parts.append(text[at : token.start])
        if token_id == MASKED:
            parts.append(mask if nothing_left and index == 0 else kept)
        else:
            parts.append(tokens[token_id].text if token_id < OTHERS else others[token_id])
        at = token.end
    return "".join([*parts, text[at:]])
