"""What `--mask` names: places of a text, or words in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.parameters import Mask
from saliscope.protocol.terms import MaskKind

_PLACE = re.compile(r"(\d+):(\d+)")


def read_masks(named: Sequence[str], kind: MaskKind, texts: Sequence[str]) -> list[Mask | None] | None:
    """A mask for each text that has something of what is named; None where nothing is named.

    `START:END` are code points; else it is a word or more, wherever that stands. `bad_request` if no text has it.
    """
    if not named:
        return None
    for one in named:
        if not any(list(_spans(one, text)) for text in texts):
            raise SaliscopeError("bad_request", f"--mask: {one!r} does not stand in the text; START:END names a place")
    found = [[span for one in named for span in _spans(one, text)] for text in texts]
    return [Mask(spans, kind) if spans else None for spans in found]


def _spans(named: str, text: str) -> Iterator[tuple[int, int]]:
    """The spans of a text that are meant: a place as it is, a word wherever it stands as a whole."""
    place = _PLACE.fullmatch(named)
    if place is not None:
        yield int(place[1]), int(place[2])
        return
    whole = rf"(?<!\w){re.escape(named)}(?!\w)"
    yield from (match.span() for match in re.finditer(whole, text) if named.strip())
