"""Sizes in bytes, as people write them."""

from __future__ import annotations

import re
from typing import Final

from saliscope.protocol.errors import SaliscopeError

_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def parse_size(text: str) -> int:
    """A size like 512MB, 1GiB or 0 in bytes; else `bad_request`."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", text, re.IGNORECASE)
    if found is None or (found[2] is None and float(found[1]) != 0):
        raise SaliscopeError("bad_request", f"{text!r} is no size; write 512MB, 1GiB, or 0 for none")
    return int(float(found[1]) * _UNITS[(found[2] or "").lower()])
