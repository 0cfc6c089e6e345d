"""A record that is edited, and put back into its file without touching anything else there."""

from __future__ import annotations

import os
import shutil
import tempfile
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources.places import Span, line_spans, table_spans
from saliscope.sources.records import name_of_text
from saliscope.sources.seeking import DIALECTS, LineFile
from saliscope.sources.stamps import Stamp, stamp_of
from saliscope.tui.data.data_set import DataSet
from saliscope.tui.data.rewriting import cells_with, json_with

_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
_CHUNK: Final = 1 << 20


class Draft(NamedTuple):
    """The text of a row as it was opened, and the bytes of the row then; `field` None: the row is the text itself."""

    row: int
    text: str
    raw: bytes
    field: str | None


def begin(data: DataSet, row: int) -> Draft:
    """Open a row to be edited; `bad_request` says why one cannot be."""
    file, record = data.file, data.record(row)
    if not isinstance(file, LineFile):
        raise SaliscopeError("bad_request", f"rows of {file.path.suffix} files are not edited in place; use .jsonl")
    if record.problem:
        raise SaliscopeError("bad_request", record.problem)
    if record.messages is not None:
        raise SaliscopeError("bad_request", f"row {row} is a chat; its messages are not edited here")
    raw = file.raw(row)
    parsed = file.parsed(raw, row)
    return Draft(row, record.text, raw, None if isinstance(parsed, str) else name_of_text(parsed, data.fields))


def save(data: DataSet, draft: Draft, new: str) -> Draft:
    """Write the row with another text; `bad_request` if that cannot be, or the file is another one meanwhile."""
    file = data.file
    assert isinstance(file, LineFile)
    if not file.is_complete:
        raise SaliscopeError("bad_request", "its rows are still being found; save again in a moment")
    if file.raw(draft.row) != draft.raw:
        raise SaliscopeError("bad_request", f"row {draft.row} has changed since it was opened")
    made = rewritten(file, draft, new)
    if made != draft.raw:
        put(file.path, file.stamp, file.places[draft.row], made)
        file.rewritten(draft.row, len(made))
        data.changed(draft.row)
    return Draft(draft.row, new, made, draft.field)


def rewritten(file: LineFile, draft: Draft, new: str) -> bytes:
    """The bytes of a row with another text; `bad_request` for one that such a file cannot hold."""
    line = draft.raw.decode("utf-8")
    if file.suffix == ".txt":
        made = new
    elif file.suffix == ".jsonl":
        made = json_with(line, draft.field, new)
    else:
        # Of columns of one name the last one is read.
        column = max(at for at, name in enumerate(file.head) if name == draft.field)
        made = cells_with(line, _DELIMITERS[file.suffix], column, new)
    try:
        raw = made.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SaliscopeError("bad_request", "the text has half of a surrogate pair, which UTF-8 cannot hold") from error
    _check(file, draft, raw, new)
    return raw


def _check(file: LineFile, draft: Draft, raw: bytes, new: str) -> None:
    """A row that would be read otherwise than it was written is not written."""
    is_table, first = file.suffix in DIALECTS, file.places[draft.row].start == 0
    held: Any = file.parsed(raw, draft.row)
    expected: Any = new
    if draft.field is not None:
        expected = {**file.parsed(draft.raw, draft.row), draft.field: new}
    spans = list(table_spans(BytesIO(b"head\n" + raw), DIALECTS[file.suffix])) if is_table else list(
        line_spans(BytesIO((b"" if first else b"\n") + raw)))  # fmt: skip
    if held != expected or len(spans) != 1 + is_table or spans[-1].end - spans[-1].start != len(raw):
        what = "one line that is not blank" if file.suffix == ".txt" else "this text"
        raise SaliscopeError(
            "bad_request", f"a row of a {file.suffix} file holds {what}, and nothing else can be saved"
        )


def put(path: Path, stamp: Stamp, span: Span, new: bytes) -> None:
    """Put bytes in the place of a span: a copy of the file takes its place whole, or nothing changes.

    `bad_request` if the file has another stamp before or after, or cannot be written.
    """
    real, draft = path.resolve(), None
    try:
        with open(real, "rb") as old:
            _same(old.fileno(), stamp, path)
            handle, name = tempfile.mkstemp(prefix=f".{real.name}.", suffix=".new", dir=real.parent)
            draft = Path(name)
            with open(handle, "wb") as made:
                _copy(old, made, span.start)
                made.write(new)
                old.seek(span.end)
                shutil.copyfileobj(old, made, _CHUNK)
                os.fchmod(made.fileno(), os.fstat(old.fileno()).st_mode & 0o7777)
                made.flush()
                os.fsync(made.fileno())
        _same(real, stamp, path)
        draft.replace(real)
        draft = None
    except OSError as error:
        raise SaliscopeError("bad_request", f"cannot write {path}: {error.strerror}") from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def _same(file: int | Path, stamp: Stamp, path: Path) -> None:
    if stamp_of(file) != stamp:
        raise SaliscopeError("bad_request", f"{path} has changed since it was opened; nothing was written")


def _copy(old: IO[bytes], made: IO[bytes], count: int) -> None:
    while count > 0 and (some := old.read(min(count, _CHUNK))):
        made.write(some)
        count -= len(some)
