"""How long a model stays when nobody uses it."""

from __future__ import annotations

import math
import os
import re
from typing import Final

from saliscope.explainers.errors import BadRequest

#: Long enough for somebody who reads a result, short enough for a GPU that others want too.
KEEP_ALIVE_S: Final = 300.0
VARIABLE: Final = "SALISCOPE_KEEP_ALIVE"
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}


def default_keep_alive() -> float:
    """Seconds, from the environment if it says something."""
    text = os.environ.get(VARIABLE)
    return KEEP_ALIVE_S if not text else parse_seconds(text)


def parse_seconds(text: str) -> float:
    """Seconds ("300", "5m", "2h"); anything negative is for ever, which is infinite."""
    found = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*([smh]?)\s*", text)
    if found is None:
        raise BadRequest(f"{VARIABLE}={text!r}: expected seconds, or 5m, 2h, or -1 for ever")
    return kept(float(found[1]) * _UNITS[found[2]])


def kept(seconds: float) -> float:
    """What was asked for as the time that a model stays: infinite if negative."""
    return math.inf if seconds < 0 else seconds
