"""Text files: read whole, with the reasons why one cannot be opened, and written back."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources.seeking import SEEKABLE, open_seekable

#: The longest file that opens in the editor, in bytes.
MAX_BYTES: Final = 4 << 20
#: Suffixes that mean a format of records; all others are one text.
FORMATS: Final = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv",
    ".yaml": "yaml", ".yml": "yaml", ".md": "markdown", ".markdown": "markdown", ".prompt": "prompt",
    ".prompty": "prompt", ".rst": "paragraphs",
}  # fmt: skip


#: Files of rows with more lines open in the table.
MANY_LINES: Final = 1000


def is_for_table(path: Path) -> bool:
    """Whether a file is one of rows, and too long for the editor; `bad_request` if it cannot be read."""
    if path.suffix.lower() not in SEEKABLE or not path.exists():
        return False
    file = open_seekable(path)
    file.close()
    if path.suffix.lower() == ".parquet" or file.stamp.size > MAX_BYTES:
        return True
    return path.read_bytes().count(b"\n") > MANY_LINES


class Opened(NamedTuple):
    """A file: its text, and the format of its records."""

    text: str
    format: str


def read_file(path: Path) -> Opened:
    """The text of a file; `bad_request` or `too_large` say what is wrong with it. A file that is not there is empty."""
    format = FORMATS.get(path.suffix.lower(), "text")
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise SaliscopeError("bad_request", f"{path} is not a file")
        if found.st_size > MAX_BYTES:
            size = f"{found.st_size / 1e6:.0f} MB, and the editor takes {MAX_BYTES / 1e6:.0f} MB"
            raise SaliscopeError("too_large", f"{path} has {size}; `saliscope evaluate --data` takes large files")
        data = path.read_bytes()
    except FileNotFoundError:
        return Opened("", format)
    except OSError as error:
        raise SaliscopeError("bad_request", f"cannot read {path}: {error.strerror}") from error
    if b"\0" in data[:8192]:
        raise SaliscopeError("bad_request", f"{path} is no text: it has zero bytes")
    try:
        return Opened(data.decode("utf-8"), format)
    except UnicodeDecodeError as error:
        raise SaliscopeError("bad_request", f"{path} is not in UTF-8: byte {error.start}") from error


def write_file(path: Path, text: str) -> None:
    """Write a text beside the file and put it in its place, with its mode; `bad_request` says what is wrong."""
    new = path.with_name(f".{path.name}.new")
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask()
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline="") as out:
            out.write(text)
        new.chmod(mode)
        new.replace(path.resolve())
    except OSError as error:
        # Where the folder is closed there is nothing to take away.
        with contextlib.suppress(OSError):
            new.unlink()
        raise SaliscopeError("bad_request", f"cannot write {path}: {error.strerror}") from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
