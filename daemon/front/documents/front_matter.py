"""The front matter of Markdown and prompt files: settings between two lines of dashes at the very beginning."""

from __future__ import annotations

import re
from typing import Final

_FRONT: Final = re.compile(
    r"\ufeff?---[ \t]*(?:\r\n?|\n)(?:[^\r\n]*(?:\r\n?|\n)){0,500}?(?:---|\.\.\.)[ \t]*(?:\r\n?|\n|\Z)"
)


def front_matter(text: str) -> int:
    """Where the front matter ends, and a byte order mark in any case: 0 without either."""
    found = _FRONT.match(text)
    return found.end() if found else int(text.startswith("\ufeff"))
