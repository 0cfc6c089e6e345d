"""Rows of a Parquet file in any order: the row groups that were looked at last are kept."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import parquet
from saliscope.sources.stamps import Stamp, stamp_of

#: Row groups that are kept, and the bytes (as the file says, uncompressed) of one that is not read for a single row.
KEPT: Final = 2
MOST_BYTES: Final = 512 << 20


class Shelves:
    """See `seeking.Seekable`: the file itself says how many rows it has."""

    def __init__(self, path: Path, stamp: Stamp) -> None:
        self.path, self.stamp = path, stamp
        self.problem = ""
        self.is_complete = True
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._reading = threading.Lock()
        self._file = parquet.opened(path)
        groups = self._file.metadata
        self._starts = [0]
        for at in range(groups.num_row_groups):
            self._starts.append(self._starts[-1] + groups.row_group(at).num_rows)

    def __len__(self) -> int:
        return self._starts[-1]

    def find(self, stop: threading.Event) -> None:
        """There is nothing to find."""

    def share_found(self) -> float:
        """Everything is known at once."""
        return 1.0

    def row(self, number: int) -> Any:
        """See `Seekable`."""
        if stamp_of(self.path) != self.stamp:
            raise SaliscopeError("bad_request", f"{self.path} has changed since it was opened")
        at = bisect_right(self._starts, number) - 1
        with self._reading:
            found = self._group(at).slice(number - self._starts[at], 1).to_pylist()
        return found[0]

    def rows(self) -> Iterator[Any]:
        """See `Seekable`."""
        return parquet.rows(self.path, 0)

    def rewritten(self) -> None:
        """The file is a new one, with as many rows in each group as before."""
        with self._reading:
            self._file.close()
            self._file, self.stamp = parquet.opened(self.path), stamp_of(self.path)
            self._kept.clear()

    def close(self) -> None:
        """See `Seekable`."""
        self._file.close()

    def _group(self, at: int) -> Any:
        if at in self._kept:
            self._kept.move_to_end(at)
            return self._kept[at]
        size = self._file.metadata.row_group(at).total_byte_size
        if size > MOST_BYTES:
            raise SaliscopeError(
                "too_large", f"{self.path}: a row group has {size >> 20} MiB; write it with smaller ones"
            )
        self._kept[at] = parquet.group(self.path, self._file, at)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[at]
