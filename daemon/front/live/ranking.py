"""When an estimate is good enough: the order of its strongest features would hardly change any more."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import hypot, isfinite
from typing import Any, Final

#: How many of the strongest features must be told apart from each other and from the next one.
TOP: Final = 5
#: By how many standard errors of their difference.
APART: Final = 2.0
#: What an explanation says that was ended for it.
STOPPED: Final = "the order of the strongest features is stable"


def clear_ranking(explanation: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The strongest features by number, strongest first; None while standard errors leave their order open."""
    scores = explanation["scores"]
    errors = next((one.get("stderr") for one in explanation["outputs"] if one["scores"] == scores), None)
    if not errors or not all(map(isfinite, errors)):
        return None
    strengths = [abs(score) for score in scores]
    order = sorted(range(len(strengths)), key=lambda at: -strengths[at])[: TOP + 1]
    for first, second in pairwise(order):
        if strengths[first] - strengths[second] <= APART * hypot(errors[first], errors[second]):
            return None
    return tuple(order[:TOP])
