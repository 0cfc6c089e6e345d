"""Scores in seven buckets, from -3 (speaks strongly against the target) over 0 (neutral) to 3 (supports it)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from math import isfinite
from typing import Final

#: Share of the largest magnitude from which a score counts as weak, medium and strong.
THRESHOLDS: Final = (0.10, 1 / 3, 2 / 3)

#: Every bucket that carries a colour, weakest last on either side of neutral.
BUCKETS: Final = (-3, -2, -1, 1, 2, 3)

#: The words for a magnitude, by the bucket's absolute value.
STRENGTHS: Final = ("neutral", "weak", "medium", "strong")


def peak_of(scores: Iterable[float | None]) -> float:
    """The largest magnitude of the scores that are numbers; 0.0 if there is none."""
    return max((abs(score) for score in scores if score is not None and isfinite(score)), default=0.0)


def bucket(score: float | None, peak: float) -> int:
    """The bucket of a score beside the largest magnitude; 0 for none, for nan and for a peak of zero."""
    if score is None or not isfinite(score) or not peak > 0:
        return 0
    strength = bisect_right(THRESHOLDS, abs(score) / peak)
    return strength if score > 0 else -strength


def meaning(number: int, *, signed: bool = True) -> str:
    """What a bucket says, in words; an unsigned method knows importance only."""
    strength = STRENGTHS[abs(number)]
    if number == 0:
        return strength
    if not signed:
        return f"{strength} importance"
    return f"{strength}, {'supports' if number > 0 else 'speaks against'} the target"
