"""Rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from saliscope.protocol.errors import SaliscopeError

#: Rows that are in memory together.
_AT_ONCE: Final = 256


def rows(path: Path, start: int) -> Iterator[Any]:
    """The rows as maps, a few at a time."""
    with opened(path) as file:
        yield from rows_of(path, file, start)


def rows_of(path: Path, file: Any, start: int) -> Iterator[Any]:
    """The rows of an open file from a number on."""
    import pyarrow as pa

    skipped = at = 0
    while at < file.num_row_groups and skipped + file.metadata.row_group(at).num_rows <= start:
        skipped += file.metadata.row_group(at).num_rows
        at += 1
    groups = list(range(at, file.num_row_groups))
    try:
        if not groups:
            return
        for batch in file.iter_batches(_AT_ONCE, row_groups=groups):
            behind = max(start - skipped, 0)
            skipped += batch.num_rows
            if behind < batch.num_rows:
                yield from batch.slice(behind).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise _refused(path, error) from error


def count(path: Path) -> int:
    """How many rows the file says that it has."""
    with opened(path) as file:
        return int(file.metadata.num_rows)


def group(path: Path, file: Any, at: int) -> Any:
    """One row group of an open file, as a table."""
    import pyarrow as pa

    try:
        return file.read_row_group(at)
    except (OSError, pa.ArrowException) as error:
        raise _refused(path, error) from error


def opened(path: Path) -> Any:
    """The file, with its metadata; `bad_request` for one that cannot be read, or without pyarrow."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise SaliscopeError(
            "bad_request", "data: Parquet needs pyarrow; run `pip install 'saliscope[parquet]'`"
        ) from error
    try:
        return parquet.ParquetFile(path, pre_buffer=False)
    except (OSError, pa.ArrowException) as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> SaliscopeError:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return SaliscopeError("bad_request", f"data: cannot read {path} as Parquet ({said})")
