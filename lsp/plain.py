"""Answers that are JSON already: large ones are built as such, since cattrs looks at each number of a message."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec


class Plain(NamedTuple):
    """An answer of maps, lists, texts and numbers, with the names of the protocol; it is sent as it is."""

    value: Any


def encoded(value: Any) -> bytes:
    """JSON of maps, lists, texts, numbers and `msgspec.Raw`."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        # Half a surrogate pair, from a client that sent one.
        return json.dumps(value, default=msgspec.json.decode).encode()
