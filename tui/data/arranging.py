"""The rows of a table put in order on a thread, while the old ones stay."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from saliscope.tui.data.data_set import DataSet


class Arranging:
    """One wish at a time: a newer one ends the search for an older one."""

    def __init__(self, data: DataSet) -> None:
        self._data = data
        self._stop = threading.Event()
        #: How much of the file was searched, in words; empty while nothing is searched.
        self.searched = ""

    async def rows(self) -> Sequence[int]:
        """The rows as they are wished now; cancelling the awaiting task ends the search."""
        self._stop.set()
        self._stop = stop = threading.Event()
        total = max(len(self._data.file), 1)

        def searched(row: int) -> None:
            if not stop.is_set():
                self.searched = f" · searched {row / total:.0%}"

        try:
            return await asyncio.to_thread(self._data.arrange, stop, searched)
        finally:
            stop.set()
            self.searched = ""
