"""What must be known of the data before the first row is explained: the fields, the number of rows, unique ids."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from saliscope.daemon.jobs.ending import JobFailed
from saliscope.daemon.jobs.rows import row_of
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import SubmitJob
from saliscope.sources import Reader, Unreadable

#: Rows at the start by which the data are judged.
_LOOKED_AT: Final = 100
#: What says how a job is run or named, not what comes of it.
_HOW: Final = ("job", "out", "download", "engine", "resume", "overwrite")


def look(reader: Reader, asked: SubmitJob) -> None:
    """Raise `bad_request` if the data cannot be read, hold no row, or if none of the first rows is one to explain."""
    rows = list(islice(reader.rows(0), _LOOKED_AT))
    if not rows:
        raise SaliscopeError("bad_request", f"data: {asked.data} holds no row")
    reasons = [_lacks(row, number, asked) for number, row in enumerate(rows)]
    if reasons[0] is not None and all(reasons):
        raise reasons[0]


def _lacks(row: Any, number: int, asked: SubmitJob) -> SaliscopeError | None:
    """Why a row is not one of the data that are asked for."""
    if not isinstance(row, Unreadable):
        for option, name in (("--id-field", asked.id_field), *(("--slice", name) for name in asked.slices)):
            if name is not None and (not isinstance(row, Mapping) or name not in row):
                has = ", ".join(map(str, row)) if isinstance(row, Mapping) else "no field"
                message = f"data: row {number} has no field {name}; it has {has}: use {option}"
                return SaliscopeError("bad_request", message)
    return row_of(number, row, asked).failure


def count(reader: Reader, asked: SubmitJob, folder: Path) -> int:
    """How many rows there are; ids that are not unique are `JobFailed`, found in little memory."""
    if asked.id_field is None:
        total = reader.total()
        return total if asked.limit is None else min(total, asked.limit)
    scratch = folder / "ids.sqlite"
    scratch.unlink(missing_ok=True)
    total = 0
    with sqlite3.connect(scratch) as ids:
        ids.execute("PRAGMA journal_mode = OFF")
        ids.execute("PRAGMA synchronous = OFF")
        ids.execute("CREATE TABLE ids (id TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID")
        for number, row in enumerate(islice(reader.rows(0), asked.limit)):
            total += 1
            if not isinstance(row, Mapping) or row.get(asked.id_field) is None:
                continue
            id = str(row[asked.id_field])
            added = ids.execute("INSERT OR IGNORE INTO ids VALUES (?, ?)", (id, number)).rowcount
            if not added:
                first = ids.execute("SELECT row FROM ids WHERE id = ?", (id,)).fetchone()[0]
                raise JobFailed(
                    "bad_request",
                    f"data: rows {first} and {number} have the same {asked.id_field}, {id!r}; "
                    "name a field that is unique, or none: rows are then known by their numbers",
                )
    ids.close()
    scratch.unlink()
    return total


def digest_of(asked: SubmitJob) -> str:
    """What makes two jobs the same: all that decides their rows, and the data as they are now."""
    plain = msgspec.to_builtins(asked)
    same = {name: value for name, value in plain.items() if name not in _HOW}
    path = Path(asked.data)
    stamp = [path.stat().st_size, path.stat().st_mtime_ns] if path.is_file() else []
    return hashlib.sha256(msgspec.json.encode([same, stamp], order="deterministic")).hexdigest()
