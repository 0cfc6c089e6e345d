"""Two texts in one: a sentence pair through the tokenizer's own template, each text a segment of the source."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final

import numpy as np

from saliscope.explainers.errors import NotCapable
from saliscope.explainers.texts.encoding import Encoding, Segment, Token
from saliscope.explainers.texts.tokenizing import Tokenizing, read_types, whole

BETWEEN: Final = "\n"
"""What joins the texts of a pair, or of a chat, to the one source that spans count in."""
PAIR_NAMES: Final = ("text", "pair")


def lay_out(names: tuple[str, ...], texts: tuple[str, ...]) -> tuple[str, list[Segment]]:
    """The texts joined to one source, and where each lies in it."""
    segments, at = [], 0
    for name, text in zip(names, texts, strict=True):
        segments.append(Segment(name, at, at + len(text)))
        at += len(text) + len(BETWEEN)
    return BETWEEN.join(texts), segments


def encode_pair(tokenizing: Tokenizing, text: str, pair: str, max_tokens: int) -> Encoding:
    """Both texts as the tokenizer's template puts them; the longer one is cut first, as `longest_first` does.

    A lone surrogate is `BadRequest`; a template that alone exceeds the length, or tells the texts not apart, is
    `NotCapable`.
    """
    tokenizer = tokenizing.tokenizer
    got = tokenizer(
        whole(text, "text"),
        whole(pair, "pair"),
        return_offsets_mapping=bool(tokenizer.is_fast),
        return_special_tokens_mask=True,
        return_attention_mask=False,
        truncation=False,
        verbose=False,
    )
    ids, offsets, types = list(got["input_ids"]), got.get("offset_mapping"), read_types(got)
    runs = _runs(_owners(tokenizer, got, text))
    source, segments = lay_out(PAIR_NAMES, (text, pair))
    lengths = [sum(stop - start for owner, start, stop in runs if owner == which) for which in (0, 1)]
    num_fixed = len(ids) - sum(lengths)
    if num_fixed + 2 > max_tokens:
        raise NotCapable(f"the model reads {max_tokens} tokens and a pair's special tokens alone are {num_fixed}")
    rooms = share_room(lengths[0], lengths[1], max_tokens - num_fixed)

    tokens: list[Token] = []
    kept: list[int] = []
    for owner, start, stop in runs:
        if owner is None:
            end = tokens[-1].end if tokens else 0
            for position in range(start, stop):
                name = tokenizing.token_text(ids[position])
                tokens.append(Token(name, end, end, True, (len(kept),), (ids[position],)))
                kept.append(position)
            continue
        own, room = (text, pair)[owner], rooms[owner]
        found = tokenizing.read(
            own,
            ids[start:stop],
            [False] * (stop - start),
            None if offsets is None else offsets[start:stop],
            room,
        )
        if stop - start > room:
            found = tuple(token for token in found if token.positions[-1] < room)
            seen_to = segments[owner].start + (found[-1].end if found else 0)
            segments[owner] = Segment(segments[owner].name, segments[owner].start, segments[owner].end, seen_to)
        tokens += [_moved(token, segments[owner].start, len(kept)) for token in found]
        kept += [start + k for k in range(sum(len(token.positions) for token in found))]
    cuts = [segment.truncated_at for segment in segments if segment.truncated_at is not None]
    return Encoding(
        source,
        np.asarray([ids[position] for position in kept], dtype=np.int64),
        tuple(tokens),
        min(cuts, default=None),
        tuple(segments),
        None if types is None else types[kept],
    )


def share_room(first: int, second: int, room: int) -> tuple[int, int]:
    """How many ids of each text fit in `room`: the shorter one keeps what it has, as far as half the room."""
    if first + second <= room:
        return first, second
    shorter = min(first, second, room // 2)
    return (shorter, room - shorter) if first <= second else (room - shorter, shorter)


def pair_notes(encoding: Encoding) -> tuple[str, ...]:
    """What a reader must know of a text in segments: where one was cut, and that nothing keeps two apart."""
    notes = [
        f"the model's length ends {segment.name!r} at character {segment.truncated_at}; the rest of it was not seen"
        for segment in encoding.segments
        if segment.truncated_at is not None
    ]
    runs = [special for special, _ in groupby(encoding.tokens, key=lambda token: token.special)]
    if len(encoding.segments) > 1 and sum(not special for special in runs) == 1:
        notes.append("this model's tokenizer puts nothing between two texts: it reads them as one")
    return tuple(notes)


def _owners(tokenizer: Any, got: Any, text: str) -> list[int | None]:
    """Which of the two texts each id comes from; None for the template's."""
    if tokenizer.is_fast:
        return list(got.sequence_ids(0))
    fixed = [bool(flag) for flag in got["special_tokens_mask"]]
    first = len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    owners: list[int | None] = []
    seen = 0
    for special in fixed:
        owners.append(None if special else int(seen >= first))
        seen += not special
    return owners


def _runs(owners: list[int | None]) -> list[tuple[int | None, int, int]]:
    """Neighbours with the same owner as (owner, start, stop); each text must be in one piece, the first one first."""
    runs, at = [], 0
    for owner, members in groupby(owners):
        count = len(list(members))
        runs.append((owner, at, at + count))
        at += count
    if [owner for owner, _, _ in runs if owner is not None] != [0, 1]:
        raise NotCapable(
            "this tokenizer does not keep the two texts of a pair apart, or drops one of them; explain one text"
        )
    return runs


def _moved(token: Token, by: int, positions_by: int) -> Token:
    """A token of a segment as one of the whole source."""
    positions = tuple(position + positions_by for position in token.positions)
    return Token(token.text, token.start + by, token.end + by, token.special, positions, token.ids)
