"""JSON as it travels: large answers are built as such, since cattrs looks at each number of a message."""

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


def decoded(body: bytes) -> Any:
    """What JSON says; raises ValueError for what is none."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        # Half a surrogate pair, which is nothing wrong to others.
        return json.loads(body)
