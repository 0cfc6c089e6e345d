"""Explanations that are kept while a document is open, so that what was seen once is not computed again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec


class Kept:
    """Explanations by the content of a record; beyond `limit` bytes those go that were used longest ago."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._packed: OrderedDict[str, bytes] = OrderedDict()
        self.num_bytes = 0

    def __contains__(self, key: str) -> bool:
        return key in self._packed

    def get(self, key: str) -> dict[str, Any] | None:
        """The explanation of this content, if it is still there."""
        packed = self._packed.get(key)
        if packed is None:
            return None
        self._packed.move_to_end(key)
        found: dict[str, Any] = msgspec.msgpack.decode(packed)
        return found

    def put(self, key: str, explanation: dict[str, Any]) -> None:
        """Keep an explanation."""
        packed = msgspec.msgpack.encode(explanation)
        self.num_bytes += len(packed) - len(self._packed.pop(key, b""))
        self._packed[key] = packed
        while self.num_bytes > self._limit:
            _, gone = self._packed.popitem(last=False)
            self.num_bytes -= len(gone)
