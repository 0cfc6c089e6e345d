"""A Parquet file written anew with one row changed: the same schema, row groups, compression and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import parquet

#: A row group with more bytes, uncompressed, is not read whole.
MOST_BYTES: Final = 512 << 20
_ARROW: Final = b"ARROW:schema"
_DICTIONARIES: Final = {"PLAIN_DICTIONARY", "RLE_DICTIONARY"}


def write_with_row(path: Path, old: IO[bytes], new: IO[bytes], row: int, fields: Mapping[str, Any]) -> None:
    """Write the file `old` (that of `path`) to `new`, with other values in fields of one row; all other rows are equal.

    A file that cannot be written so that it has the same schema and metadata is `bad_request`.
    """
    import pyarrow as pa
    from pyarrow import parquet as pq

    try:
        with pq.ParquetFile(old, pre_buffer=False) as file:
            _check_sizes(path, file)
            with pq.ParquetWriter(new, file.schema_arrow, **_options(path, file, fields)) as writer:
                first = 0
                for at in range(file.num_row_groups):
                    table = file.read_row_group(at)
                    if first <= row < first + table.num_rows:
                        table = _with_row(path, table, row - first, fields)
                    writer.write_table(table, row_group_size=max(table.num_rows, 1))
                    first += table.num_rows
            new.flush()
            with parquet.opened(Path(new.name)) as made:
                _check(path, file, made, row, fields)
    except pa.ArrowException as error:
        raise _refused(path, str(error).splitlines()[0] if str(error) else type(error).__name__) from error


def _options(path: Path, file: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """How the file was written, as far as it says so."""
    meta = file.metadata
    if meta.num_row_groups == 0:
        return {}
    group = meta.row_group(0)
    columns = [group.column(at) for at in range(group.num_columns)]
    names = {at: columns[at].path_in_schema for at in range(len(columns))}
    sorted_by = list(group.sorting_columns)
    if any(names[one.column_index].split(".")[0] in fields for one in sorted_by):
        raise _refused(path, "its rows are sorted by what was edited")
    return {
        "version": meta.format_version,
        "compression": {one.path_in_schema: one.compression.replace("UNCOMPRESSED", "NONE") for one in columns},
        "use_dictionary": [one.path_in_schema for one in columns if _DICTIONARIES & set(one.encodings)],
        "write_statistics": [one.path_in_schema for one in columns if one.is_stats_set],
        "use_deprecated_int96_timestamps": any(one.physical_type == "INT96" for one in columns),
        "write_page_index": any(one.has_column_index for one in columns),
        "sorting_columns": sorted_by or None,
        "store_schema": _ARROW in (meta.metadata or {}),
    }


def _with_row(path: Path, table: Any, at: int, fields: Mapping[str, Any]) -> Any:
    import pyarrow as pa

    for name, value in fields.items():
        number = table.schema.get_field_index(name)
        column, kind = table.column(number), table.schema.field(number).type
        before = column.slice(at, 1)
        if pa.array(before.to_pylist(), type=kind).to_pylist() != before.to_pylist():
            raise _refused(path, f"the field {name} holds values that cannot be written back")
        chunks = [*column.slice(0, at).chunks, pa.array([value], type=kind), *column.slice(at + 1).chunks]
        table = table.set_column(number, table.schema.field(number), pa.chunked_array(chunks, type=kind))
    return table


def _check(path: Path, old: Any, new: Any, row: int, fields: Mapping[str, Any]) -> None:
    """A file that would be read otherwise than the old one is refused."""
    kept = {name: value for name, value in (old.metadata.metadata or {}).items() if name != _ARROW}
    made = {name: value for name, value in (new.metadata.metadata or {}).items() if name != _ARROW}
    groups = [[one.metadata.row_group(at).num_rows for at in range(one.num_row_groups)] for one in (old, new)]
    is_same = old.schema.equals(new.schema) and old.schema_arrow.equals(new.schema_arrow, check_metadata=True)
    if not is_same or kept != made or groups[0] != groups[1]:
        raise _refused(path, "it has types or metadata that would be written otherwise")
    found = next(parquet.rows_of(path, new, row))
    if any(repr(found[name]) != repr(value) for name, value in fields.items()):
        raise _refused(path, "its fields cannot hold what was edited")


def _check_sizes(path: Path, file: Any) -> None:
    most = max((file.metadata.row_group(at).total_byte_size for at in range(file.num_row_groups)), default=0)
    if most > MOST_BYTES:
        raise SaliscopeError("too_large", f"{path}: a row group has {most >> 20} MiB; write it with smaller ones")


def _refused(path: Path, reason: str) -> SaliscopeError:
    return SaliscopeError("bad_request", f"{path} is not edited in place: {reason}")
