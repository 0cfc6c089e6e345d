"""Explanations of one text side by side: how far they agree, and a table of tokens by contenders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from saliscope.protocol.results import Explanation
from saliscope.render.agreement import Span, rank_agreement, top_overlap
from saliscope.render.buckets import peak_of

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


def by_span(explanation: Explanation) -> dict[Span, float]:
    """The scores by the places of their features."""
    pairs = zip(explanation.features, explanation.scores, strict=True)
    return {(feature.start, feature.end): score for feature, score in pairs}


def verdict(first: Explanation, other: Explanation) -> Verdict:
    """How two explanations of one text agree."""
    one, two = by_span(first), by_span(other)
    of = min(TOP, len(one), len(two))
    return Verdict(rank_agreement(one, two), top_overlap(one, two, of), of)


def rows(explanations: Sequence[Explanation], count: int) -> list[Row]:
    """Tokens by contenders, those first that matter most on average, as shares of each contender's peak."""
    scores = [by_span(one) for one in explanations]
    peaks = [peak_of(one.scores) for one in explanations]
    texts = {(feature.start, feature.end): feature.text for one in explanations for feature in one.features}

    def weight(span: Span) -> float:
        return sum(abs(found.get(span, 0.0)) / peak for found, peak in zip(scores, peaks, strict=True) if peak > 0)

    order = sorted(texts, key=lambda span: (-weight(span), span))[:count]
    return [Row(texts[span], tuple(found.get(span) for found in scores)) for span in order]
