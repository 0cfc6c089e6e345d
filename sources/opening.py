"""Which reader a data set needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.fields import DATA_SUFFIXES
from saliscope.sources import hub, lines, parquet


class Reader(NamedTuple):
    """A data set: its rows from a number on (a text, a map of fields, or `Unreadable`), and how many it has.

    Rows are read as they are asked for; a file that cannot be read is `bad_request`.
    """

    rows: Callable[[int], Iterator[Any]]
    total: Callable[[], int]


def open_source(source: str, split: str | None = None) -> Reader:
    """The reader of a file, by its ending, or of a data set by its hub id; nothing is read yet of a file."""
    path = Path(os.path.expanduser(source))
    suffix = path.suffix.lower()
    if not path.is_file() and suffix not in DATA_SUFFIXES:
        found = hub.load(source, split)
        return Reader(partial(hub.rows, found), partial(len, found))
    match suffix:
        case ".txt":
            return Reader(partial(lines.text_rows, path), partial(lines.count_lines, path))
        case ".jsonl":
            return Reader(partial(lines.json_rows, path), partial(lines.count_lines, path))
        case ".json":
            return Reader(partial(lines.array_rows, path), partial(_count, partial(lines.array_rows, path)))
        case ".csv" | ".tsv":
            rows = partial(lines.table_rows, path, "excel-tab" if suffix == ".tsv" else "excel")
            return Reader(rows, partial(_count, rows))
        case ".parquet":
            return Reader(partial(parquet.rows, path), partial(parquet.count, path))
    raise SaliscopeError("bad_request", f"data: {path} ends in none of {', '.join(DATA_SUFFIXES)}")


def _count(rows: Callable[[int], Iterator[Any]]) -> int:
    return sum(1 for _ in rows(0))
