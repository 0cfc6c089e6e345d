"""Answers that are JSON already: large ones are built as such, since cattrs looks at each number of a message."""

from __future__ import annotations

from typing import Any, NamedTuple


class Plain(NamedTuple):
    """An answer of maps, lists, texts and numbers, with the names of the protocol; it is sent as it is."""

    value: Any
