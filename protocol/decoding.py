"""Files to text: which encodings are read, and what is refused."""

from __future__ import annotations

import codecs
from typing import Final

from saliscope.protocol.errors import SaliscopeError

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(data: bytes, encoding: str | None = None) -> str:
    """The text of a file: in `encoding`, else as its byte order mark says, else UTF-8; the mark is no part of it.

    `bad_request` for a binary file, an encoding that nobody knows, and bytes that are none of the encoding.
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    name = encoding or marked or "utf-8"
    if name == "utf-8" and b"\0" in data:
        raise SaliscopeError("bad_request", "this is a binary file: it has zero bytes and no byte order mark")
    try:
        return data.decode(name)
    except LookupError as error:
        raise SaliscopeError("bad_request", f"the encoding {name!r} is unknown; name one that Python knows") from error
    except UnicodeError as error:
        at = f", from byte {error.start} on" if isinstance(error, UnicodeDecodeError) else ""
        message = f"the file is not {name}{at}; save it as UTF-8, or name its encoding"
        raise SaliscopeError("bad_request", message) from error
