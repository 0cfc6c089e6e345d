"""Exact character spans for token ids, whatever the tokenizer says about offsets.

Offsets are believed only after a check: some tokenizers return zero-width spans for plain text, others give
several pieces the same character. Where the check fails the spans are rebuilt by decoding step by step.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from saliscope.explainers.encoding import Token

Span = tuple[int, int]
Decode = Callable[[list[int]], str]

REPLACEMENT = "\ufffd"
LOOK_AHEAD = 64
"""How many source characters may lie between two decoded ones (a normalizer dropped them)."""


def build_tokens(
    text: str,
    ids: Sequence[int],
    special: Sequence[bool],
    offsets: Sequence[Span] | None,
    decode: Decode,
) -> tuple[Token, ...]:
    """Group `ids` into tokens with spans in `text`; `decode` turns ids to text without cleaning up.

    Every non-special token cuts out at least one character, spans are ordered and never overlap, and every id
    belongs to exactly one token.
    """
    if offsets is None or not trustworthy(text, offsets, special):
        offsets = rebuild_offsets(text, ids, special, decode)
    tokens: list[Token] = []
    for positions, (start, end) in _units(offsets, special):
        group = tuple(ids[p] for p in positions)
        if special[positions[0]]:
            tokens.append(Token(decode(list(group)), start, start, True, tuple(positions), group))
        else:
            start, end = _trim(text, start, end)
            tokens.append(Token(text[start:end], start, end, False, tuple(positions), group))
    return tuple(tokens)


def trustworthy(text: str, offsets: Sequence[Span], special: Sequence[bool]) -> bool:
    """Whether offsets are in range, ordered, and cover the text between first and last without a visible gap."""
    cursor, covered = 0, 0
    for (start, end), fixed in zip(offsets, special, strict=True):
        if fixed:
            continue
        if not 0 <= start <= end <= len(text) or (start < cursor - 1 and end < covered):
            return False
        if _visible(text[covered:start]):
            return False
        cursor, covered = start, max(covered, end)
    seen = [span for span, fixed in zip(offsets, special, strict=True) if not fixed]
    if not seen:
        return True
    empty = sum(start == end for start, end in seen)
    return empty <= len(seen) // 4 + 1 and (covered > 0 or not _visible(text))


def rebuild_offsets(text: str, ids: Sequence[int], special: Sequence[bool], decode: Decode) -> list[Span]:
    """Spans found by decoding ids one after another and following the result through the source."""
    spans: list[Span] = []
    cursor = 0
    pending: list[int] = []
    for token_id, fixed in zip(ids, special, strict=True):
        if fixed:
            pending = []
            spans.append((cursor, cursor))
            continue
        pending.append(token_id)
        piece = decode(pending)
        if piece.endswith(REPLACEMENT) and len(pending) < 8:
            spans.append((cursor, cursor))
            continue
        start, end = _follow(text, cursor, piece)
        for back in range(len(pending) - 1):
            spans[-1 - back] = (start, end)
        spans.append((start, end))
        cursor, pending = end, []
    return spans


def _follow(text: str, cursor: int, piece: str) -> Span:
    """The span of `piece` at or after `cursor`: characters are compared case- and accent-blind."""
    start, end = -1, cursor
    for char in piece:
        if char.isspace() or char in (REPLACEMENT, "▁"):
            continue
        wanted = _fold(char)
        for at in range(end, min(len(text), end + LOOK_AHEAD)):
            folded = _fold(text[at])
            if folded and (folded.startswith(wanted) or wanted.startswith(folded)):
                start = at if start < 0 else start
                end = at + 1
                break
    if start >= 0:
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        return start, end
    if piece and piece.isspace():
        stop = cursor
        while stop < len(text) and text[stop].isspace() and stop - cursor < len(piece):
            stop += 1
        return cursor, stop
    # An unknown piece (unk): the next run of visible characters, up to one of them.
    at = cursor
    while at < len(text) and text[at].isspace():
        at += 1
    return at, min(at + 1, len(text))


def _units(offsets: Sequence[Span], special: Sequence[bool]) -> list[tuple[list[int], Span]]:
    """Positions that share a character, or stand for none, joined with their neighbour."""
    units: list[tuple[list[int], Span]] = []
    waiting: list[int] = []
    for position, ((start, end), fixed) in enumerate(zip(offsets, special, strict=True)):
        if fixed:
            waiting = _give_back(units, waiting, special)
            units.append(([position], (units[-1][1][1] if units else 0, 0)))
            continue
        last = units[-1] if units and not special[units[-1][0][0]] else None
        if start == end and not (last and start < last[1][1]):
            waiting.append(position)
        elif last and start < last[1][1]:
            units[-1] = ([*last[0], *waiting, position], (last[1][0], max(last[1][1], end)))
            waiting = []
        else:
            units.append(([*waiting, position], (start, end)))
            waiting = []
    _give_back(units, waiting, special)
    return units


def _give_back(units: list[tuple[list[int], Span]], waiting: list[int], special: Sequence[bool]) -> list[int]:
    """Zero-width positions at the end of a text join the token before them, or stand alone."""
    if waiting:
        if units and not special[units[-1][0][0]]:
            units[-1] = ([*units[-1][0], *waiting], units[-1][1])
        else:
            at = units[-1][1][0] if units else 0
            units.append((list(waiting), (at, at)))
    return []


def _trim(text: str, start: int, end: int) -> Span:
    """The span without blanks at its ends, unless it is nothing but blanks."""
    cut = text[start:end]
    if not cut.strip():
        return start, end
    return start + len(cut) - len(cut.lstrip()), end - (len(cut) - len(cut.rstrip()))


def _visible(text: str) -> bool:
    """Whether a person would see something: not only blanks, control or format characters."""
    return any(not char.isspace() and unicodedata.category(char) not in ("Cc", "Cf", "Cn", "Co", "Mn") for char in text)


def _fold(char: str) -> str:
    """A character in lower case, decomposed, without its accents."""
    parts = unicodedata.normalize("NFKD", char.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part)) or parts
