"""Exact character spans for token ids, whatever the tokenizer says about offsets.

Offsets are believed where they can be true. Zero-width ones (some tokenizers give them to plain words, others to
blanks) are looked up in the gap they leave; where offsets are missing, or leave visible text out, the spans are rebuilt
by reading the ids and following what they say through the source.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from saliscope.explainers.texts.encoding import Span, group_positions, trim

NEAR, FAR = 64, 4096
"""Where a piece is looked for if it is not next: so many visible characters from there on."""
WORD_OR_MARK = r"[^\s!-/:-@\[-`{-~\u2010-\u205e\u3001-\u303f]+|\S"


@dataclass(slots=True)
class Piece:
    """Whole characters that the ids from `first` to `last` say, and what is `solid` of them, folded."""

    first: int
    last: int
    text: str
    solid: str = field(init=False)

    def __post_init__(self) -> None:
        self.solid = _folded(self.text)


Read = Callable[[Sequence[int], bool], list[Piece]]
"""What ids say as whole characters, in the middle of a text, or at its opening if so told.

Two pieces share an id that ends one character and begins the next.
"""


def find_spans(
    text: str, ids: Sequence[int], special: Sequence[bool], offsets: Sequence[Span] | None, read: Read
) -> list[Span]:
    """A span of `text` for each id, without blanks at its ends; ids that stand for no character have an empty one."""
    spans = None
    if offsets is not None and in_range(offsets, len(text)):
        spans = _mended(text, ids, special, offsets, read)
        if not _doubtful(text, spans, special):
            return spans
    inner = [position for position, fixed in enumerate(special) if not fixed]
    pieces = read([ids[position] for position in inner], True)
    found, complete = _align(text, (0, len(text)), pieces, len(inner))
    if spans is not None:
        theirs = [spans[position] for position in inner]
        mine, yours = _agreement(text, pieces, found), _agreement(text, pieces, theirs)
        if mine < yours or (mine == yours and (not complete or _worth(text, found) <= _worth(text, theirs))):
            return spans
    rebuilt: list[Span] = [(0, 0)] * len(ids)
    for position, span in zip(inner, found, strict=True):
        rebuilt[position] = span
    return rebuilt


def in_range(offsets: Sequence[Span], length: int) -> bool:
    """Whether all offsets are spans of a text of this length."""
    return all(0 <= start <= end <= length for start, end in offsets)


def _mended(text: str, ids: Sequence[int], special: Sequence[bool], offsets: Sequence[Span], read: Read) -> list[Span]:
    """The offsets, with runs of zero-width ones looked up in the gap around them."""
    spans = [trim(text, start, end) for start, end in offsets]
    at = covered = 0
    while at < len(spans):
        stop = at
        while stop < len(spans) and not special[stop] and spans[stop][0] == spans[stop][1]:
            stop += 1
        if stop > at:
            until = spans[stop][0] if stop < len(spans) and not special[stop] else len(text)
            if covered < until:
                spans[at:stop], _ = _align(text, (covered, until), read(ids[at:stop], covered == 0), stop - at)
            at = stop
        else:
            covered = covered if special[at] else max(covered, spans[at][1])
            at += 1
    return spans


def _doubtful(text: str, spans: Sequence[Span], special: Sequence[bool]) -> bool:
    """Whether spans go backwards or leave something visible out."""
    before = covered = 0
    for (start, end), fixed in zip(spans, special, strict=True):
        if fixed:
            continue
        if start < before or (start > covered and _folded(text[covered:start])):
            return True
        before, covered = start, max(covered, end)
    return bool(_folded(text[covered:]))


def _agreement(text: str, pieces: Sequence[Piece], spans: Sequence[Span]) -> int:
    """How many visible characters lie in spans that hold just what their ids say."""
    agreed = 0
    for piece in pieces:
        members = spans[piece.first : piece.last + 1]
        start, end = min(start for start, _ in members), max(end for _, end in members)
        agreed += len(piece.solid) if _folded(text[start:end]) == piece.solid else 0
    return agreed


def _worth(text: str, spans: Sequence[Span]) -> tuple[int, int]:
    """How much of the visible text spans cover, then into how many tokens they divide it."""
    covered = [span for _, span in group_positions(spans, [False] * len(spans)) if span[0] < span[1]]
    return sum(bool(_fold(char)) for start, end in covered for char in text[start:end]), len(covered)


def _align(text: str, window: Span, pieces: Sequence[Piece], num_ids: int) -> tuple[list[Span], bool]:
    """Spans within `window` of a text for each id, and whether each piece was found; those not found share the rest."""
    source = _Source(text, window)
    spans: list[Span] = [(window[0], window[0])] * num_ids
    lost: list[int] = []
    complete = True
    cursor, at = window[0], 0
    for index, piece in enumerate(pieces):
        if not piece.solid:
            span = (cursor, cursor) if lost else source.walk(cursor, at, piece.text)
        else:
            found = source.find(pieces, index, at, len(lost))
            if found < 0:
                lost.append(index)
                continue
            span = source.span(cursor, found, piece)
            if lost:
                _share(text, (cursor, span[0]), [pieces[i] for i in lost], spans)
                complete, lost = False, []
            at = found + len(piece.solid)
        _put(spans, piece, span)
        cursor = max(cursor, span[1])
    if lost:
        _share(text, (cursor, window[1]), [pieces[i] for i in lost], spans)
    return [trim(text, start, end) for start, end in spans], complete and not lost


def _put(spans: list[Span], piece: Piece, span: Span) -> None:
    """Give a span to the ids of a piece; one that has a character already keeps it."""
    for position in range(piece.first, piece.last + 1):
        start, end = spans[position]
        spans[position] = span if start == end else (min(start, span[0]), max(end, span[1]))


def _share(text: str, gap: Span, lost: Sequence[Piece], spans: list[Span]) -> None:
    """Give the words of a gap, or its characters, or else all of it, to pieces that were not found."""
    cut = text[slice(*gap)]
    if not cut.strip():
        gap = (gap[0], gap[0])
    for pattern in (r"\S+", WORD_OR_MARK, r"\S"):
        parts = [(gap[0] + part.start(), gap[0] + part.end()) for part in re.finditer(pattern, cut)]
        if len(parts) == len(lost):
            break
    else:
        parts = [gap] * len(lost)
    for piece, span in zip(lost, parts, strict=True):
        _put(spans, piece, span)


class _Source:
    """A window of the text as its solid characters, folded: `where` each comes from."""

    def __init__(self, text: str, window: Span) -> None:
        self.text = text
        self.until = window[1]
        folds = [(_fold(char), at) for at, char in enumerate(text[slice(*window)], window[0])]
        self.solid = "".join(fold for fold, _ in folds)
        self.where = [at for fold, at in folds for _ in fold]

    def find(self, pieces: Sequence[Piece], index: int, at: int, num_lost: int) -> int:
        """Where a piece begins, or -1; if it is not next, one that is followed by the next piece is preferred."""
        solid = pieces[index].solid
        here = self.solid.startswith(solid, at)
        if here and not num_lost:
            return at
        follow = next((piece.solid for piece in pieces[index + 1 : index + 9] if piece.solid), "")
        # Each lost piece stands for something.
        begin = at + num_lost
        stray, tries, found = -1, 0, self.solid.find(solid, begin, begin + FAR)
        while found >= 0 and tries < 16:
            if self.solid.startswith(follow, found + len(solid)):
                return found
            if stray < 0 and found < begin + NEAR:
                stray = found
            found, tries = self.solid.find(solid, found + 1, begin + FAR), tries + 1
        # What comes next may be unknown too, but must not lie before.
        if stray >= 0 and self.solid.find(follow, at, stray + len(follow)) < 0:
            return stray
        return at if here else -1

    def span(self, cursor: int, at: int, piece: Piece) -> Span:
        """The span of a piece that begins at solid character `at`, with marks that are its own on both sides."""
        start, end = self.where[at], self.where[at + len(piece.solid) - 1] + 1
        inner = piece.text.strip()
        if inner.isascii() and inner.isprintable():
            return start, end
        inner = unicodedata.normalize("NFKD", inner)
        before = inner[: next((i for i, char in enumerate(inner) if _fold(char)), 0)]
        after = inner[next((len(inner) - i for i, char in enumerate(reversed(inner)) if _fold(char)), 0) :]
        own = unicodedata.normalize("NFKD", self.text[end - 1])
        if own[1:] and after.startswith(own[1:]):
            after = after[len(own) - 1 :]
        while before and start > cursor and before.endswith(self.text[start - 1]):
            start, before = start - 1, before[:-1]
        stop = self._next(at + len(piece.solid))
        while after and end < stop and after.startswith(mark := unicodedata.normalize("NFKD", self.text[end])):
            end, after = end + 1, after[len(mark) :]
        return start, end

    def walk(self, cursor: int, at: int, chars: str) -> Span:
        """The span of a piece without a solid character, between `cursor` and the solid character `at`."""
        start, end, stop = -1, cursor, self._next(at)
        for char in chars:
            for here in range(end, min(stop, end + NEAR)):
                if self.text[here] == char or (_is_blank(self.text[here]) and _is_blank(char)):
                    start, end = (here if start < 0 else start), here + 1
                    break
        return (start, end) if start >= 0 else (cursor, cursor)

    def _next(self, at: int) -> int:
        return self.where[at] if at < len(self.where) else self.until


def _is_blank(char: str) -> bool:
    return char.isspace() or char == "▁"


def _folded(text: str) -> str:
    """The solid characters of a text, folded."""
    return "".join(map(_fold, text))


@lru_cache(maxsize=1 << 16)
def _fold(char: str) -> str:
    """A character in lower case without its marks; nothing for one that nobody sees and tokenizers drop at will."""
    if _is_blank(char) or unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co", "Mn"):
        return ""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    solid = "".join(part for part in folded if not part.isspace() and not unicodedata.combining(part))
    # A mark that stands on a blank ("¨") is a character, one that is only made wide is not.
    return solid or (char if any(map(str.isspace, folded)) else "")
