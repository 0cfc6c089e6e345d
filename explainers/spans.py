"""Exact character spans for token ids, whatever the tokenizer says about offsets.

Offsets are believed where they can be true. Zero-width ones (Llama-3 gives them to plain words, trimming tokenizers to
blanks) are looked up in the gap they leave; where offsets are missing or miss visible text, everything is rebuilt by
reading the ids and following what they say through the source.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from saliscope.explainers.encoding import Span, Token, trim

Decode = Callable[[list[int]], str]

REPLACEMENT = "\ufffd"
MOST_PIECES = 8
"""How many ids may be needed to read one character."""
NEAR, FAR = 64, 4096
"""Where a piece is looked for after text that no piece matches: visible characters from there on."""


def build_tokens(
    text: str, ids: Sequence[int], special: Sequence[bool], offsets: Sequence[Span] | None, decode: Decode
) -> tuple[Token, ...]:
    """Group `ids` into tokens with spans in `text`; `decode` turns ids to text without cleaning up.

    Every non-special token cuts out at least one character, spans are ordered and never overlap, and every id
    belongs to exactly one token: pieces that share a character, or stand for none, join their neighbour.
    """
    reader = _Reader(ids, decode)
    spans = None if offsets is None or not in_range(offsets, len(text)) else _mended(text, offsets, special, reader)
    if spans is None or _doubtful(text, spans, special):
        again, complete = _rebuilt(text, special, reader)
        if spans is None or (complete and _worth(text, again, special) > _worth(text, spans, special)):
            spans = again
    tokens = []
    for positions, (start, end), fixed in _units(spans, special):
        group = tuple(ids[position] for position in positions)
        if not fixed and start == end:
            start, end = trim(text, 0, len(text))
        fixed = fixed or start == end
        tokens.append(Token(decode(list(group)) if fixed else text[start:end], start, end, fixed, positions, group))
    return tuple(tokens)


def in_range(offsets: Sequence[Span], length: int) -> bool:
    """Whether all offsets are spans of a text of this length."""
    return all(0 <= start <= end <= length for start, end in offsets)


# -- offsets of the tokenizer ---------------------------------------------------------------------


def _mended(text: str, offsets: Sequence[Span], special: Sequence[bool], reader: _Reader) -> list[Span]:
    """The offsets without blanks at their ends, and runs of zero-width ones looked up in the gap around them."""
    spans = [trim(text, start, end) for start, end in offsets]
    at, covered = 0, 0
    while at < len(spans):
        stop = at
        while stop < len(spans) and not special[stop] and spans[stop][0] == spans[stop][1]:
            stop += 1
        if stop == at:
            covered = covered if special[at] else max(covered, spans[at][1])
            at += 1
            continue
        until = spans[stop][0] if stop < len(spans) and not special[stop] else len(text)
        if covered < until:
            spans[at:stop], _ = _align(text, (covered, until), at, stop, reader)
            covered = max(covered, spans[stop - 1][1])
        at = stop
    return spans


def _doubtful(text: str, spans: Sequence[Span], special: Sequence[bool]) -> bool:
    """Whether spans go backwards or leave something visible out."""
    before, covered = 0, 0
    for (start, end), fixed in zip(spans, special, strict=True):
        if fixed:
            continue
        if start < before or (start > covered and _visible(text[covered:start])):
            return True
        before, covered = start, max(covered, end)
    return _visible(text[covered:])


def _worth(text: str, spans: Sequence[Span], special: Sequence[bool]) -> tuple[int, int]:
    """How much of the visible text spans cover, then into how many tokens they divide it."""
    units = [span for _, span, fixed in _units(spans, special) if not fixed]
    return sum(bool(_fold(char)) for start, end in units for char in text[start:end]), len(units)


# -- rebuilding -----------------------------------------------------------------------------------


def _rebuilt(text: str, special: Sequence[bool], reader: _Reader) -> tuple[list[Span], bool]:
    """Spans for all ids from what they read as, and whether each was found."""
    inner = [position for position, fixed in enumerate(special) if not fixed]
    if not inner:
        return [(0, 0)] * len(special), True
    start, stop = inner[0], inner[-1] + 1
    spans, complete = _align(text, (0, len(text)), start, stop, reader, opening=True)
    return [*[(0, 0)] * start, *spans, *[(len(text), len(text))] * (len(special) - stop)], complete


class _Piece(NamedTuple):
    """What the ids `first` to `last` read as: whole characters."""

    first: int
    last: int
    text: str
    solid: str


class _Reader:
    """Reads ids as they stand in the middle of a text, each way once."""

    def __init__(self, ids: Sequence[int], decode: Decode) -> None:
        self.ids = ids
        self._decode = decode
        self._known: dict[tuple[int, ...], str] = {}
        self._frame: tuple[list[int], str, str] | None = None

    def read(self, first: int, last: int, opening: bool = False) -> str:
        """The text of `ids[first..last]`; `opening` if the text begins there."""
        if opening:
            return self._decode(list(self.ids[first : last + 1]))
        key = tuple(self.ids[first : last + 1])
        if key not in self._known:
            self._known[key] = self._framed(list(key))
        return self._known[key]

    def pieces(self, first: int, stop: int, genuine: bool, opening: bool) -> list[_Piece]:
        """Whole characters of `ids[first:stop]`; pieces share an id that ends one character and begins another.

        `genuine` says that the source itself holds replacement characters, which then need not be cut ones.
        """
        found: list[_Piece] = []

        def add(last: int, text: str) -> None:
            found.append(_Piece(first, last, text, "".join(map(_fold, text))))

        begin, held, shared = first, "", False
        for last in range(first, stop):
            text = self.read(first, last, opening and first == begin)
            if shared:
                text = text.lstrip(REPLACEMENT)
            if genuine and held and text.startswith(held) and text.strip(REPLACEMENT):
                add(last - 1, held)
                first, text = last, text[len(held) :]
            whole = text.rstrip(REPLACEMENT)
            if whole:
                add(last, whole)
                shared = whole != text
                first, held = (last if shared else last + 1), ""
            elif last - first >= MOST_PIECES:
                add(last, text)
                first, held, shared = last + 1, "", False
            else:
                held = text
        if first < stop:
            add(stop - 1, held)
        return found

    def _framed(self, ids: list[int]) -> str:
        """What ids add between two known ones: alone, some decoders drop a leading blank or show `##` and `@@`."""
        if self._frame is None:
            self._frame = self._find_frame()
        anchor, head, tail = self._frame
        text = self._decode([*anchor, *ids, *anchor])
        if not anchor or not text.startswith(head):
            return self._decode(ids)
        for end in (tail, tail.lstrip()):
            if text.endswith(end) and len(text) >= len(head) + len(end):
                return text[len(head) : len(text) - len(end)]
        return self._decode(ids)

    def _find_frame(self) -> tuple[list[int], str, str]:
        for token_id in list(dict.fromkeys(self.ids))[:64]:
            head = self._decode([token_id])
            both = self._decode([token_id, token_id])
            if head.strip() and REPLACEMENT not in head and both.startswith(head) and both.endswith(head.strip()):
                return [token_id], head, both[len(head) :]
        return [], "", ""


def _align(
    text: str, window: Span, first: int, stop: int, reader: _Reader, opening: bool = False
) -> tuple[list[Span], bool]:
    """Spans within `window` of `ids[first:stop]`, and whether each was found; one not found takes what is left."""
    pieces = reader.pieces(first, stop, REPLACEMENT in text, opening)
    source = _Source(text, window)
    spans: list[Span] = []
    lost: list[int] = []
    ...
