"""A Parquet file with one row changed: everything else that it says is the same."""

from __future__ import annotations

import datetime
import math
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources.reshelving import write_with_row

TEXTS = st.text(max_size=12)
CODECS = st.sampled_from(["snappy", "gzip", "zstd", "none", "brotli", "lz4"])


def rewritten(path: Path, row: int, fields: dict[str, Any]) -> Path:
    new = path.with_suffix(".new")
    with open(path, "rb") as old, open(new, "wb") as made:
        write_with_row(path, old, made, row, fields)
    return new


def facts(path: Path) -> Any:
    """What a file says beside its values."""
    with pq.ParquetFile(path) as file:
        meta = file.metadata
        columns = [
            [(one.path_in_schema, one.physical_type, one.compression, one.is_stats_set, one.has_dictionary_page)
             for one in (meta.row_group(at).column(number) for number in range(meta.num_columns))]
            for at in range(meta.num_row_groups)
        ]  # fmt: skip
        kept = {name: value for name, value in (meta.metadata or {}).items() if name != b"ARROW:schema"}
        groups = [meta.row_group(at).num_rows for at in range(meta.num_row_groups)]
        # Without its first line, which says where it lies in memory.
        schema = str(file.schema).splitlines()[1:]
        return schema, file.schema_arrow.to_string(show_schema_metadata=True), kept, groups, columns


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=9), new=TEXTS, which=st.integers(0, 8), size=st.integers(1, 5),
    codec=CODECS, dictionary=st.booleans(), large=st.booleans(),
)  # fmt: skip
def test_one_value_changes_and_nothing_else(
    texts: list[str], new: str, which: int, size: int, codec: str, dictionary: bool, large: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    path = tmp_path_factory.getbasetemp() / f"rows{os.getpid()}.parquet"
    row, kind = which % len(texts), pa.large_string() if large else pa.string()
    schema = pa.schema(
        [pa.field("text", kind, metadata={"of": "texts"}), pa.field("n", pa.int16(), nullable=False),
         pa.field("score", pa.float32()), pa.field("tags", pa.list_(pa.string()))],
        metadata={"author": "somebody", "pandas": "{}"},
    )  # fmt: skip
    rows = [{"text": text, "n": n, "score": None if n % 3 else n / 7, "tags": [text, "x"] if n % 2 else []}
            for n, text in enumerate(texts)]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=size, compression=codec,
                   use_dictionary=["text"] if dictionary else False)  # fmt: skip
    made = rewritten(path, row, {"text": new})
    assert facts(made) == facts(path)
    assert pq.read_table(made).to_pylist() == [
        {**one, "text": new} if n == row else one for n, one in enumerate(pq.read_table(path).to_pylist())
    ]


def test_types_of_every_kind_are_written_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    table = pa.table({
        "text": pa.array(["a", "b", None]).dictionary_encode(),
        "when": pa.array([0, 10**15 + 1, None], pa.timestamp("us", "Europe/Berlin")),
        "day": pa.array([datetime.date(2026, 1, 2)] * 3),
        "price": pa.array([Decimal("1.25")] * 3, pa.decimal128(9, 2)),
        "bytes": pa.array([b"\0\xff"] * 3),
        "none": pa.array([math.nan, math.inf, None], pa.float64()),
        "map": pa.array([[("k", 1)]] * 3, pa.map_(pa.string(), pa.int8())),
        "flag": pa.array([True, False, None]),
        "empty": pa.nulls(3),
    })  # fmt: skip
    pq.write_table(table, path, compression={"text": "zstd", "when": "gzip"}, row_group_size=2, write_page_index=True)
    made = rewritten(path, 1, {"text": "é日"})
    assert facts(made) == facts(path)
    expected = [{**row, "text": "é日"} if n == 1 else row for n, row in enumerate(table.to_pylist())]
    assert repr(pq.read_table(made).to_pylist()) == repr(expected)


@pytest.mark.parametrize("options", [{"store_schema": False}, {"use_deprecated_int96_timestamps": True},
                                     {"version": "1.0"}, {"write_statistics": False}])  # fmt: skip
def test_files_of_other_writers(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "data.parquet"
    when = pa.array([0, 10**18], pa.timestamp("ns"))
    pq.write_table(pa.table({"text": ["a", "b"], "when": when}), path, **options)
    made = rewritten(path, 0, {"text": "c"})
    assert facts(made) == facts(path)
    assert pq.read_table(made).column("text").to_pylist() == ["c", "b"]
    assert pq.read_table(made).column("when").equals(pq.read_table(path).column("when"))


def test_the_messages_of_a_chat_with_all_that_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "chats.parquet"
    chat = [{"role": "user", "content": "a", "weight": 1.5}, {"role": "assistant", "content": "b", "weight": None}]
    pq.write_table(pa.Table.from_pylist([{"messages": chat, "n": 1}, {"messages": chat[:1], "n": 2}]), path)
    new = [chat[1], {"role": "tool", "content": "c", "weight": None}]
    made = rewritten(path, 0, {"messages": new})
    assert facts(made) == facts(path)
    assert pq.read_table(made).to_pylist() == [{"messages": new, "n": 1}, {"messages": chat[:1], "n": 2}]


def test_what_the_fields_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chats.parquet"
    pq.write_table(pa.Table.from_pylist([{"messages": [{"role": "user", "content": "a"}]}]), path)
    with pytest.raises(SaliscopeError, match="cannot hold what was edited"):
        rewritten(path, 0, {"messages": [{"role": "user", "content": "b", "name": "x"}]})


def test_rows_that_are_sorted_by_their_texts_are_not_edited(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    table = pa.table({"text": ["a", "b"], "n": [1, 2]})
    pq.write_table(table, path, sorting_columns=[pq.SortingColumn(0)])
    with pytest.raises(SaliscopeError, match="sorted by what was edited"):
        rewritten(path, 0, {"text": "z"})
    pq.write_table(table, path, sorting_columns=[pq.SortingColumn(1)])
    made = rewritten(path, 0, {"text": "z"})
    assert pq.ParquetFile(made).metadata.row_group(0).sorting_columns == (pq.SortingColumn(1),)
