"""Edits of a text: ranges in code points, and what they do to positions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct

from saliscope.protocol.errors import SaliscopeError

Offset = Annotated[int, Meta(ge=0)]
BREAK: Final = re.compile(r"\r\n?|\n")


class Edit(Struct, frozen=True):
    """`text` takes the place of the code points `start` to `end` (exclusive)."""

    start: Offset
    end: Offset
    text: str

    @property
    def shift(self) -> int:
        """By how much everything behind the edit moves."""
        return len(self.text) - (self.end - self.start)

    def applied(self, text: str) -> str:
        """The text after the edit; a range that does not lie in it is refused."""
        check_edits([self], len(text))
        return "".join((text[: self.start], self.text, text[self.end :]))

    def moved(self, start: int, end: int) -> tuple[int, int] | None:
        """Where a span lies after the edit; None for one that the edit changed."""
        if end <= self.start:
            return start, end
        if start >= self.end:
            return start + self.shift, end + self.shift
        return None


def check_edits(edits: Sequence[Edit], length: int) -> None:
    """Refuse edits, each in the positions that those before it leave, of which one lies outside a text of `length`."""
    for number, edit in enumerate(edits):
        if not 0 <= edit.start <= edit.end <= length:
            place = f"{edit.start} to {edit.end}"
            raise resync(f"edits[{number}]: the range {place} does not lie in the text, which has {length} code points")
        length += edit.shift


def resync(message: str, code: str = "bad_request") -> SaliscopeError:
    """The error of a change that was not made: the client is asked to send the whole text again."""
    return SaliscopeError(code, f"{message}; open the document again with its whole text", {"resync": True})
