"""Whether a file is still the one that it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from saliscope.protocol.errors import SaliscopeError


class Stamp(NamedTuple):
    """What of a file changes with its contents."""

    size: int
    modified_ns: int
    inode: int


def stamp_of(file: int | Path) -> Stamp:
    """The stamp of a path or an open file; `bad_request` where there is no file."""
    try:
        found = os.stat(file)
    except OSError as error:
        raise SaliscopeError("bad_request", f"cannot read {file}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise SaliscopeError("bad_request", f"{file} is not a file")
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)
