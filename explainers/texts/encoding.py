"""A text as the model sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the source: `text == source[start:end]` in code points, at model `positions`.

    Pieces that share a character (byte-level vocabularies) are one token with several positions.
    A special token has the vocabulary's text and an empty span.
    """

    text: str
    start: int
    end: int
    special: bool
    positions: tuple[int, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """A named part of the source, `source[start:end]`: one text of a pair, or a message of a chat.

    `truncated_at` is the first code point of it that the model does not see, None if it sees all.
    """

    name: str
    start: int
    end: int
    truncated_at: int | None = None


@dataclass(frozen=True, slots=True)
class Nudge:
    """Noise on a text's word embeddings, one draw of `seed`: each moves by `radius` times its own length."""

    radius: float
    seed: int


@dataclass(frozen=True, eq=False)
class Encoding:
    """An encoded text: `ids [T]` with special tokens, the `tokens` over them, and where the text was cut.

    `truncated_at` is the first code point after the last one that the model sees, or None if it sees the whole text.
    A text of several `segments` is cut where the first of them is. `type_ids [T]` are token types, None if all are 0.
    The last `tail` positions are no part of the text but what is to follow it. With a `nudge` the model sees the text
    somewhat moved, wherever its own tokens are visible.
    """

    text: str
    ids: IntArray
    tokens: tuple[Token, ...]
    truncated_at: int | None = None
    segments: tuple[Segment, ...] = ()
    type_ids: IntArray | None = None
    tail: int = 0
    nudge: Nudge | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def parts(self) -> tuple[Span, ...]:
        """The spans that no feature may cross: the segments, or the whole text."""
        return tuple((part.start, part.end) for part in self.segments) or ((0, len(self.text)),)

    @cached_property
    def special(self) -> BoolArray:
        """`[T]`, true at special tokens: these are fixed, never masked and never scored."""
        mask = np.zeros(len(self.ids), dtype=np.bool_)
        for token in self.tokens:
            if token.special:
                mask[list(token.positions)] = True
        return mask


def extended(encoding: Encoding, ids: Sequence[int], spell: Callable[[int], str]) -> Encoding:
    """The text with a tail of `ids` behind it, special tokens all; `spell` names them."""
    length, end = len(encoding), encoding.tokens[-1].end if encoding.tokens else 0
    tail = tuple(Token(spell(id), end, end, True, (length + at,), (id,)) for at, id in enumerate(ids))
    longer = np.concatenate([encoding.ids, np.asarray(ids, dtype=np.int64)])
    types = None if encoding.type_ids is None else np.pad(encoding.type_ids, (0, len(ids)), "edge")
    return replace(encoding, ids=longer, tokens=(*encoding.tokens, *tail), type_ids=types, tail=len(ids))


def build_tokens(
    text: str, ids: Sequence[int], special: Sequence[bool], spans: Sequence[Span], spell: Callable[[int], str]
) -> tuple[Token, ...]:
    """Group `ids` with their `spans` into tokens; `spell` names a special one.

    Every non-special token cuts out at least one character, tokens are ordered and never overlap, and every id
    belongs to exactly one: ids that share a character are one token, those that stand for none join a neighbour.
    """
    tokens: list[Token] = []
    groups = group_positions(spans, special)
    # Where no id has a character of its own, the first group stands for the whole text.
    unclaimed = (0, 0) if any(start < end for _, (start, end) in groups) else trim(text, 0, len(text))
    for positions, (start, end) in groups:
        fixed = special[positions[0]]
        if start == end and not fixed:
            (start, end), unclaimed = unclaimed, (0, 0)
            fixed = start == end
        if fixed:
            start = end = tokens[-1].end if tokens else 0
        group = tuple(ids[position] for position in positions)
        name = "".join(map(spell, group)) if fixed else text[start:end]
        tokens.append(Token(name, start, end, fixed, tuple(positions), group))
    return tuple(tokens)


def group_positions(spans: Sequence[Span], special: Sequence[bool]) -> list[tuple[list[int], Span]]:
    """Positions that share a character, or stand for none, joined with their neighbour; special ones stay alone."""
    groups: list[tuple[list[int], Span]] = []
    waiting: list[int] = []
    growing = 0
    """Groups from here on can still be joined: no special token lies behind them."""
    for position, ((start, end), fixed) in enumerate(zip(spans, special, strict=True)):
        if fixed:
            _settle(groups, waiting, growing)
            groups.append(([position], (0, 0)))
            waiting, growing = [], len(groups)
            continue
        if start == end:
            if len(groups) > growing and start < groups[-1][1][1]:
                groups[-1][0].extend([*waiting, position])
                waiting = []
            else:
                waiting.append(position)
            continue
        members = [*waiting, position]
        while len(groups) > growing and start < groups[-1][1][1]:
            before, (low, high) = groups.pop()
            before.extend(members)
            members, start, end = before, min(start, low), max(end, high)
        groups.append((members, (start, end)))
        waiting = []
    _settle(groups, waiting, growing)
    return groups


def _settle(groups: list[tuple[list[int], Span]], waiting: list[int], growing: int) -> None:
    """Positions without a character before a special token or the end join the group before them."""
    if waiting and len(groups) > growing:
        groups[-1][0].extend(waiting)
    elif waiting:
        groups.append((waiting, (0, 0)))


def trim(text: str, start: int, end: int) -> Span:
    """The span without blanks at its ends, unless it is nothing but blanks."""
    cut = text[start:end]
    inner = cut.strip()
    if not inner or len(inner) == len(cut):
        return start, end
    start += len(cut) - len(cut.lstrip())
    return start, start + len(inner)
