"""What a document may be at most; beyond it is refused as a whole, with the reason."""

from __future__ import annotations

import re
from typing import Final

from saliscope.protocol.edits import BREAK
from saliscope.protocol.errors import SaliscopeError

MOST_CHARACTERS: Final = 32 << 20
"""Code points of a document."""
MOST_LINES: Final = 200_000
MOST_OF_A_LINE: Final = 1 << 20
"""Code points of one line, as of a text that is explained."""
MOST_PARSED: Final = {"json": 1 << 20, "yaml": 1 << 18, "markdown": 1 << 18, "prompt": 1 << 20}
"""Code points of a document whose format is read anew, as a whole, after every edit."""
LOOKED_AT: Final = 8_192
"""Code points at the beginning by which a binary file is known."""

_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")


def check_beginning(text: str) -> None:
    """`bad_request` for what was a binary file before it became a string: a tenth of it is no text."""
    head = text[:LOOKED_AT]
    strange = len(_UNPRINTABLE.findall(head))
    if strange > 16 and strange * 10 > len(head):
        raise SaliscopeError(
            "bad_request", f"this is no text: {strange} of its first {len(head)} characters are of a binary file"
        )


def check_size(length: int, breaks: int, format: str) -> None:
    """`too_large` for a document of too many characters or lines."""
    most = min(MOST_CHARACTERS, MOST_PARSED.get(format, MOST_CHARACTERS))
    if length > most:
        name = f" of format {format}" if format in MOST_PARSED else ""
        raise SaliscopeError("too_large", f"the document has {length:,} characters; the limit{name} is {most:,}")
    if breaks >= MOST_LINES:
        raise SaliscopeError("too_large", f"the document has {breaks + 1:,} lines; the limit is {MOST_LINES:,}")


def check_lines(text: str, start: int, end: int) -> None:
    """`too_large` where a line that touches `start` to `end` is too long."""
    begin = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    for match in BREAK.finditer(text, begin):
        _check_line(match.start() - begin)
        begin = match.end()
        if begin > end:
            return
    _check_line(len(text) - begin)


def _check_line(length: int) -> None:
    if length > MOST_OF_A_LINE:
        raise SaliscopeError("too_large", f"a line has {length:,} characters; the limit is {MOST_OF_A_LINE:,}")
