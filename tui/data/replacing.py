"""A file that another one takes the place of whole, or that stays as it was."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources.places import Span
from saliscope.sources.stamps import Stamp, stamp_of

_CHUNK: Final = 1 << 20


def replace_file(path: Path, stamp: Stamp, write: Callable[[IO[bytes], IO[bytes]], None]) -> None:
    """Have `write` make a new file (its second argument, which has a name) of the old one, and put it in its place.

    `bad_request` if the file has another stamp before or after, or cannot be written.
    """
    real, draft = path.resolve(), None
    try:
        with open(real, "rb") as old:
            _same(old.fileno(), stamp, path)
            handle, name = tempfile.mkstemp(prefix=f".{real.name}.", suffix=".new", dir=real.parent)
            os.close(handle)
            draft = Path(name)
            with open(draft, "wb") as made:
                write(old, made)
                os.fchmod(made.fileno(), os.fstat(old.fileno()).st_mode & 0o7777)
                made.flush()
                os.fsync(made.fileno())
        _same(real, stamp, path)
        draft.replace(real)
        draft = None
    except OSError as error:
        raise SaliscopeError("bad_request", f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def put(path: Path, stamp: Stamp, span: Span, new: bytes) -> None:
    """Put bytes in the place of a span; see `replace_file`."""

    def write(old: IO[bytes], made: IO[bytes]) -> None:
        _copy(old, made, span.start)
        made.write(new)
        old.seek(span.end)
        shutil.copyfileobj(old, made, _CHUNK)

    replace_file(path, stamp, write)


def _same(file: int | Path, stamp: Stamp, path: Path) -> None:
    if stamp_of(file) != stamp:
        raise SaliscopeError("bad_request", f"{path} has changed since it was opened; nothing was written")


def _copy(old: IO[bytes], made: IO[bytes], count: int) -> None:
    while count > 0 and (some := old.read(min(count, _CHUNK))):
        made.write(some)
        count -= len(some)
