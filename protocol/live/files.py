"""A file as the text of a document."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saliscope.protocol.errors import SaliscopeError

#: Bytes of a file beyond which no document is made of it: four a character of the longest that the daemon takes.
MOST_BYTES: Final = 128 << 20
#: How a file may begin that is no UTF-8, and what it is then; the longer ones first.
_MARKS: Final = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


def read_text(path: Path) -> str:
    """The text of a file, line ends and byte order mark as they are: UTF-8, or UTF-16 and UTF-32 with their mark.

    `too_large` for a file that no document can hold, `bad_request` for one that cannot be read or is in no known
    encoding.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise SaliscopeError("too_large", f"{path} has {size:,} bytes; the limit is {MOST_BYTES:,}")
        with path.open("rb") as file:
            # A device or a pipe has no size, and maybe no end.
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SaliscopeError("bad_request", f"cannot read {path}: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise SaliscopeError("too_large", f"{path} has more than {MOST_BYTES:,} bytes, which is the limit")
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        where = f"the byte 0x{data[error.start]:02x} at {error.start:,}"
        raise SaliscopeError(
            "bad_request", f"{path} is no {encoding.upper()} ({where}); save it as UTF-8 and open it again"
        ) from error
