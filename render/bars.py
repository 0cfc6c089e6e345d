"""Bars made of block characters, for probabilities and for signed scores."""

from __future__ import annotations

from math import isfinite
from typing import Final

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def bar(share: float, columns: int) -> str:
    """A bar of up to `columns` cells, exact to an eighth of a cell; a share above zero shows at least a sliver."""
    if not isfinite(share) or share <= 0 or columns <= 0:
        return ""
    eighths = max(1, round(min(share, 1.0) * columns * 8))
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def two_sided(score: float, peak: float, columns: int) -> tuple[str, str]:
    """The two halves of a bar around zero, each `columns` cells wide: (against, for), one of them blank."""
    blank = " " * columns
    if not isfinite(score) or score == 0 or not peak > 0:
        return blank, blank
    length = max(1, round(min(abs(score) / peak, 1.0) * columns))
    if score > 0:
        return blank, ("━" * length).ljust(columns)
    return ("━" * length).rjust(columns), blank


def percent(share: float) -> str:
    """A probability as a percentage with one decimal that never rounds to a certainty it has not."""
    if not isfinite(share):
        return "    -"
    number = share * 100
    if 0 < number < 0.05:
        return "<0.1%"
    if 99.95 <= number < 100:
        return ">99.9%"
    return f"{number:4.1f}%"
