"""How far two sets of scores of one text agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Span = tuple[int, int]


def rank_agreement(one: Mapping[Span, float], other: Mapping[Span, float]) -> float | None:
    """Spearman's rank correlation over the spans that both score; None for fewer than three, or without any order."""
    pairs = [(score, other[span]) for span, score in one.items() if span in other]
    return rank_correlation([pair[0] for pair in pairs], [pair[1] for pair in pairs])


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's correlation, ties at their mean rank; None for fewer than three values, or where all are the same."""
    if len(one) < 3:
        return None
    left, right = _ranks(one), _ranks(other)
    mean = (len(one) + 1) / 2
    covariance = sum((a - mean) * (b - mean) for a, b in zip(left, right, strict=True))
    spread = sum((a - mean) ** 2 for a in left) * sum((b - mean) ** 2 for b in right)
    return float(covariance / spread**0.5) if spread > 0 else None


def top_overlap(one: Mapping[Span, float], other: Mapping[Span, float], k: int) -> int:
    """How many of the `k` spans of largest magnitude in the one are among those of the other."""
    return len(_top(one, k) & _top(other, k))


def _top(scores: Mapping[Span, float], k: int) -> set[Span]:
    return set(sorted(scores, key=lambda span: (-abs(scores[span]), span))[:k])


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1, equal values sharing their mean."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    at = 0
    while at < len(order):
        end = at
        while end + 1 < len(order) and values[order[end + 1]] == values[order[at]]:
            end += 1
        for index in order[at : end + 1]:
            ranks[index] = (at + end) / 2 + 1
        at = end + 1
    return ranks
