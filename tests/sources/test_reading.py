"""Rows of files: the same by every kind of file, from any row on, and what cannot be read is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import Fields, Unreadable, open_source, read_data, record_of

ROWS = [{"text": f"film {n}", "label": str(n % 2)} for n in range(1000)]


def write(folder: Path, suffix: str) -> Path:
    path = folder / f"data{suffix}"
    if suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=300)
    elif suffix == ".json":
        path.write_text(json.dumps(ROWS))
    elif suffix == ".jsonl":
        path.write_text("\n\n".join(map(json.dumps, ROWS)))
    elif suffix == ".txt":
        path.write_text("\n".join(row["text"] for row in ROWS) + "\n \n")
    else:
        gap = "\t" if suffix == ".tsv" else ","
        path.write_text("".join(f"{gap.join(row)}\n" for row in [["text", "label"], *([*r.values()] for r in ROWS)]))
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".json", ".jsonl", ".txt", ".csv", ".tsv"])
@pytest.mark.parametrize("start", [0, 1, 299, 300, 650, 999, 1000, 2000])
def test_rows_are_the_same_from_any_row_on(tmp_path: Path, suffix: str, start: int) -> None:
    reader = open_source(str(write(tmp_path, suffix)))
    expected: list[Any] = [row["text"] for row in ROWS] if suffix == ".txt" else ROWS
    assert [*reader.rows(start)] == expected[start:]
    assert reader.total() == 1000


def test_a_broken_line_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "a"}\n{"text": \n"b"\n')
    rows = [*open_source(str(path)).rows(0)]
    assert rows[0] == {"text": "a"}
    assert isinstance(rows[1], Unreadable)
    assert rows[2] == "b"
    with pytest.raises(SaliscopeError, match="line 2 is not JSON"):
        record_of(rows[1], Fields(), "row 1")


def test_bytes_that_are_no_text_are_told_whenever_they_come(tmp_path: Path) -> None:
    path = tmp_path / "data.txt"
    path.write_bytes(b"a film\n" * 100_000 + b"\xff\n")
    rows = open_source(str(path)).rows(0)
    assert next(rows) == "a film"
    with pytest.raises(SaliscopeError, match="it is not UTF-8"):
        list(rows)


def test_evaluations_read_parquet_too(tmp_path: Path) -> None:
    found = read_data(str(write(tmp_path, ".parquet")), Fields(), None, 3)
    assert found == ROWS[:3]
