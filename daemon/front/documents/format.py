"""What a format of documents is."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from saliscope.daemon.front.documents.record import Placed
from saliscope.daemon.front.documents.shaping import Names


@dataclass(frozen=True, slots=True)
class Format:
    """A document is cut into pieces, each piece parsed by itself; the records of all pieces are those of the document.

    `cut` gives the end of the piece that begins at a place. It may look at what follows, though no further than into
    the next piece, and never back: so an edit touches the pieces it lies in and the one before them. What else
    pieces depend on (the header of a table) is the `context`; where it changes, everything is cut again.
    """

    name: str
    record: str
    """What is a record, in words."""
    suffixes: tuple[str, ...]
    languages: tuple[str, ...]
    """Language ids of editors."""
    cut: Callable[[str, int, Any], int]
    parse: Callable[[str, bool, Any], list[Placed]]
    """The records of a piece in its positions; whether it is the document's first; the context."""
    context: Callable[[str, Names], Hashable] = lambda text, names: names
