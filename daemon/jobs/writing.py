"""The output of a job: rows go in one after another, and the file appears whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from saliscope.daemon.jobs.ledger import ending_of
from saliscope.protocol.errors import SaliscopeError

SUFFIXES: Final = (".jsonl", ".parquet")
#: Rows that a group of a Parquet file has.
_GROUP: Final = 4096


class Output(Protocol):
    """Takes the rows of a job in order."""

    def add(self, line: bytes, row: dict[str, Any]) -> None:
        """One row, as a line of JSON and as a map."""


class JsonLines:
    """One row a line."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb")  # noqa: SIM115 - closed in `close`

    def add(self, line: bytes, row: dict[str, Any]) -> None:
        """See `Output`."""
        self._file.write(line + b"\n")

    def close(self) -> None:
        """Everything is with the system."""
        self._file.close()


class Parquet:
    """Columns, in groups of some thousand rows."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        words, places = pa.list_(pa.string()), pa.list_(pa.int32())
        text, real, whole = pa.string(), pa.float64(), pa.int64()
        types = {
            "row": whole, "id": text, "label": text, "slices": pa.map_(text, text), "text": text, "prediction": text,
            "prediction_index": whole, "probability": real, "target": text, "value": real, "base_value": real,
            "features": words, "starts": places, "ends": places, "scores": pa.list_(real), "truncated_at": whole,
            "method": text, "fingerprint": text, "forward_rows": whole, "backward_rows": whole, "code": text,
            "message": text,
        }  # fmt: skip
        self._schema = pa.schema(list(types.items()))
        self._table = pa.Table
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def add(self, line: bytes, row: dict[str, Any]) -> None:
        """See `Output`."""
        self._rows.append({**row, "slices": list(row["slices"].items())})
        if len(self._rows) == _GROUP:
            self._flush()

    def close(self) -> None:
        """Everything is with the system, and the file is complete."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._table.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()


def check(out: Path) -> None:
    """Raise `bad_request` if nothing can be written there."""
    if out.suffix not in SUFFIXES:
        raise SaliscopeError("bad_request", f"out: {out} ends in none of {', '.join(SUFFIXES)}")
    if out.suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401 - only whether it is there
        except ImportError as error:
            message = "out: Parquet needs pyarrow; run `pip install 'saliscope[parquet]'`, or write .jsonl"
            raise SaliscopeError("bad_request", message) from error
    if not out.parent.is_dir():
        raise SaliscopeError("bad_request", f"out: there is no folder {out.parent}; make it, or choose another")
    if out.is_dir():
        raise SaliscopeError("bad_request", f"out: {out} is a folder; name a file")


@contextmanager
def writing(out: Path, draft: Path) -> Iterator[Output]:
    """Write to `draft`; it becomes `out` when the block ends well. A full disk is `JobPaused`."""
    try:
        made = Parquet(draft) if out.suffix == ".parquet" else JsonLines(draft)
        try:
            yield made
        finally:
            made.close()
        draft.replace(out)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ending_of(error, out) from error
