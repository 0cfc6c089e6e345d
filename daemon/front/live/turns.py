"""Who is at work on a document: one at a time, in the order they came; other documents wait for nobody."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """A lock for each name of a document, there while somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, name: str) -> asyncio.Lock:
        """The lock of a name; who holds it is alone with the document."""
        return self._locks.setdefault(name, asyncio.Lock())

    def is_taken(self, name: str) -> bool:
        """Whether somebody is at work on it, maybe on a thread."""
        lock = self._locks.get(name)
        return lock is not None and lock.locked()
