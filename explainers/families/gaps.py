"""Tokens in no feature: what stays visible in every row, and where reading passes through it."""

from __future__ import annotations

from dataclasses import replace

from saliscope.explainers.problem import Asked
from saliscope.explainers.texts.features import Feature


def has_gaps(asked: Asked) -> bool:
    """Whether a token that is not special belongs to no feature."""
    scored = {index for feature in asked.features for index in feature.tokens}
    return any(not token.special and index not in scored for index, token in enumerate(asked.encoding.tokens))


def fill_gaps(asked: Asked) -> tuple[Asked, tuple[int, ...]]:
    """The same question with each run of tokens between two features as one more feature, and where the asked ones are.

    Without gaps it is the question itself.
    """
    if not has_gaps(asked):
        return asked, tuple(range(len(asked.features)))
    owner = {index: number for number, feature in enumerate(asked.features) for index in feature.tokens}
    filled: list[Feature] = []
    places: dict[int, int] = {}
    gap: list[int] = []

    def close_gap() -> None:
        if gap:
            filled.append(_gap(asked, gap))
            gap.clear()

    for index, token in enumerate(asked.encoding.tokens):
        if token.special:
            continue
        number = owner.get(index)
        if number is None:
            gap.append(index)
        elif number not in places:
            close_gap()
            places[number] = len(filled)
            filled.append(asked.features[number])
    close_gap()
    return replace(asked, features=tuple(filled)), tuple(places[number] for number in range(len(asked.features)))


def _gap(asked: Asked, tokens: list[int]) -> Feature:
    members = [asked.encoding.tokens[index] for index in tokens]
    start, end = members[0].start, members[-1].end
    positions = tuple(position for token in members for position in token.positions)
    return Feature(asked.encoding.text[start:end], start, end, tuple(tokens), positions)
