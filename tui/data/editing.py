"""The row of a data set that is edited: opened, written back, and not lost by opening another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from saliscope.protocol.errors import SaliscopeError
from saliscope.tui.data.data_set import DataSet
from saliscope.tui.data.draft import Draft, Texts, Turn, begin
from saliscope.tui.data.saving import save


class Editing:
    """At most one row of a data set; `is_read` says whether a job reads the file now."""

    def __init__(self, data: DataSet, is_read: Callable[[], bool]) -> None:
        self._data, self._is_read = data, is_read
        self.draft: Draft | None = None
        #: The text of the row as the editor has taken it.
        self.taken = ""

    def open(self, row: int) -> Draft:
        """Open a row to be edited; `bad_request` says why one cannot be."""
        self.draft = begin(self._data, row)
        return self.draft

    def close(self) -> None:
        """No row is edited any more."""
        self.draft = None

    async def put(self, change: Texts | Sequence[Turn]) -> Draft:
        """Write the row back; what it is now. `bad_request` says why it was not written."""
        assert self.draft is not None
        if self._is_read():
            raise SaliscopeError("bad_request", "a job reads this file now; wait for it, pause it, or cancel it")
        self.draft = await asyncio.to_thread(save, self._data, self.draft, change)
        return self.draft
