"""Overlapping windows of a text that is longer than the model reads, each a text of its own for the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from saliscope.explainers.errors import NotCapable, TooLarge
from saliscope.explainers.texts.encoding import Encoding, Token
from saliscope.explainers.texts.features import Feature

OVERLAP = 4
"""Neighbours share at least one token in so many, where a feature can be cut there."""


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens `start:stop` of a text without its special ones, as a text of its own for the model.

    `features` are those of the whole text that it holds a part of; the one at `numbers[i]` there is `features[i]` here.
    """

    start: int
    stop: int
    encoding: Encoding
    features: tuple[Feature, ...]
    numbers: tuple[int, ...]


def windows_of(whole: Encoding, features: tuple[Feature, ...], max_tokens: int) -> Iterator[Window]:
    """Windows of at most `max_tokens` with the text's special tokens around each; every feature is whole in one."""
    inner = [index for index, token in enumerate(whole.tokens) if not token.special]
    first, last = inner[0], inner[-1]
    lead, trail = whole.tokens[:first], whole.tokens[last + 1 :]
    body = whole.tokens[first : last + 1]
    sizes = [0, *accumulate(len(token.positions) for token in body)]
    room = max_tokens - sum(len(token.positions) for token in (*lead, *trail))
    if room < 2:
        raise NotCapable(f"the model reads {max_tokens} tokens, of which its special tokens leave {room}")
    spans = [(feature.tokens[0] - first, feature.tokens[-1] + 1 - first) for feature in features]
    start = 0
    while True:
        stop = int(np.searchsorted(sizes, sizes[start] + room, side="right")) - 1
        if stop == start:
            raise TooLarge(f"text: one character of it has more tokens than the {room} that fit a window")
        inside = [n for n, (a, b) in enumerate(spans) if a < stop and b > start]
        yield _window(whole, (lead, body[start:stop], trail), start + first, features, inside)
        if stop >= len(body):
            return
        shared = max(int(np.searchsorted(sizes, sizes[stop] - room // OVERLAP)), start + 1)
        # A feature that this window cuts begins the next one, at the latest.
        following = min([shared, *(a for a, b in spans if a < stop < b)])
        if following <= start:
            cut = next(features[n] for n, (a, b) in enumerate(spans) if a <= start and b > stop)
            raise TooLarge(
                f"text: the feature at character {cut.start} has more tokens than the {room} that fit a window;"
                " use a finer granularity"
            )
        start = following


def _window(
    whole: Encoding,
    parts: tuple[tuple[Token, ...], tuple[Token, ...], tuple[Token, ...]],
    start: int,
    features: tuple[Feature, ...],
    inside: list[int],
) -> Window:
    """The special tokens, the window's own and the closing ones, with positions from 0 on."""
    lead, own, trail = parts
    begin, end = own[0].start, own[-1].end
    tokens: list[Token] = []
    ids: list[int] = []
    for place, token in [(begin, t) for t in lead] + [(-1, t) for t in own] + [(end, t) for t in trail]:
        positions = tuple(range(len(ids), len(ids) + len(token.ids)))
        span = (token.start, token.end) if place < 0 else (place, place)
        tokens.append(Token(token.text, *span, token.special, positions, token.ids))
        ids += token.ids
    types = None
    if whole.type_ids is not None:
        types = whole.type_ids[[position for part in parts for token in part for position in token.positions]]
    encoding = Encoding(whole.text, np.asarray(ids, dtype=np.int64), tuple(tokens), type_ids=types)
    made, numbers = [], []
    for number in inside:
        held = [k - start + len(lead) for k in features[number].tokens if start <= k < start + len(own)]
        if held:
            made.append(_part_of(features[number], encoding, held))
            numbers.append(number)
    return Window(start, start + len(own), encoding, tuple(made), tuple(numbers))


def _part_of(feature: Feature, encoding: Encoding, held: list[int]) -> Feature:
    """What a window holds of a feature."""
    start = max(feature.start, encoding.tokens[held[0]].start)
    end = min(feature.end, encoding.tokens[held[-1]].end)
    positions = tuple(position for index in held for position in encoding.tokens[index].positions)
    return Feature(encoding.text[start:end], start, end, tuple(held), positions)
