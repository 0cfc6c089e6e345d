"""Explanations of one text side by side: how far they agree, and a table of tokens by contenders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from saliscope.protocol.explanation import Explanation
from saliscope.render.agreement import rank_agreement, top_overlap
from saliscope.render.explained import by_span, together

#: Of so many strongest tokens it is said how many two contenders share.
TOP: Final = 5


class Contender(NamedTuple):
    """One side of a comparison; None is the daemon's choice."""

    model: str | None
    method: str | None


class Verdict(NamedTuple):
    """How two explanations agree: rank correlation (None: not known), and how many `of` the strongest are shared."""

    rank: float | None
    shared: int
    of: int


class Row(NamedTuple):
    """One token with its score by each contender (None: it has no such token) and that as a share of its peak."""

    text: str
    scores: tuple[float | None, ...]


def verdict(first: Explanation, other: Explanation) -> Verdict:
    """How two explanations of one text agree."""
    one, two = by_span(first), by_span(other)
    of = min(TOP, len(one), len(two))
    return Verdict(rank_agreement(one, two), top_overlap(one, two, of), of)


def rows(explanations: Sequence[Explanation], count: int) -> list[Row]:
    """Tokens by contenders, those first that matter most on average, as shares of each contender's peak."""
    scores = [by_span(one) for one in explanations]
    texts = list(together(explanations).items())[:count]
    return [Row(text, tuple(found.get(span) for found in scores)) for span, text in texts]
