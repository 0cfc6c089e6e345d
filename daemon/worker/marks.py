"""Which requests a worker is at work on, in memory that outlives it: whoever forked it reads it after a kill."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Collection
from itertools import islice
from typing import Final

_BYTES: Final = 1 << 16
_COUNT: Final = struct.Struct("<I")
#: More requests than this in one micro-batch are not all marked; those left out count as innocent.
MOST: Final = _BYTES // _COUNT.size - 1


class Marks:
    """The ids of the requests that a worker is computing now; made before the fork, shared by both sides of it.

    Writing costs about a microsecond, and a process that is killed at whatever moment leaves either these ids or none.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _BYTES)

    def set(self, ids: Collection[int]) -> None:
        """Mark these requests in place of those before; none: the worker is at work on no request."""
        marked = list(islice(ids, MOST))
        # The count goes last: until it is written, nothing is marked.
        _COUNT.pack_into(self._memory, 0, 0)
        if marked:
            struct.pack_into(f"<{len(marked)}I", self._memory, _COUNT.size, *marked)
            _COUNT.pack_into(self._memory, 0, len(marked))

    def read(self) -> list[int]:
        """What is marked."""
        (count,) = _COUNT.unpack_from(self._memory, 0)
        return list(struct.unpack_from(f"<{count}I", self._memory, _COUNT.size))

    def close(self) -> None:
        """Give the memory back, on this side."""
        self._memory.close()
