"""Texts that have gone wrong elsewhere, and spans of them."""

from __future__ import annotations

from hypothesis import strategies as st

from saliscope.daemon.front.documents.formats import find_format
from saliscope.daemon.front.documents.shaping import Names
from saliscope.daemon.front.documents.store import Located, Store

NASTY = "ab \"'\\/,;|\t\r\n:#-`{}[]éß\u0301\u200d😀👩\U0001f469\u200b\u2028\x85\xa0\0\x07\ufeff漢"
BREAKS = ("\n", "\r\n", "\r")


def texts(alphabet: str = NASTY, max_size: int = 30) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(alphabet), max_size=max_size)


def opened(text: str, format: str, names: Names | None = None) -> list[Located]:
    return list(Store(text, find_format(format), names))


def spans(length: int) -> list[tuple[int, int]]:
    """Every short span of a text, as tokens are, and the whole."""
    return [(at, at + size) for size in (1, 2, 3, length) for at in range(max(length - size + 1, 0))]
