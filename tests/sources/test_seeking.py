"""Rows in any order are those of the stream, whatever the file holds."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import Unreadable, open_source
from saliscope.sources.seeking import LineFile, Seekable, open_seekable
from tests.sources.test_reading import ROWS, write

#: What lines, cells and strings may be made of, line breaks and blanks of every kind among it.
PIECES = st.sampled_from(
    ["a film", '"', '""', ",", "\t", "\n", "\r\n", "\r", " ", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u2028", "é",
     "日", "😀", "x"]
)  # fmt: skip


def found(path: Path) -> Seekable:
    file = open_seekable(path)
    file.find(threading.Event())
    assert file.is_complete
    return file


def rows_of(file: Seekable) -> list[Any]:
    return [file.row(number) for number in range(len(file))]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".txt", ".csv", ".tsv"])
def test_any_row_by_itself(tmp_path: Path, suffix: str) -> None:
    file = found(write(tmp_path, suffix))
    expected: list[Any] = [row["text"] for row in ROWS] if suffix == ".txt" else ROWS
    assert len(file) == 1000
    assert [file.row(number) for number in (999, 0, 650, 299, 300)] == [expected[n] for n in (999, 0, 650, 299, 300)]
    assert list(file.rows()) == expected


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".tsv"])
@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(PIECES, max_size=40), has_mark=st.booleans())
def test_rows_are_those_of_the_stream(
    suffix: str, pieces: list[str], has_mark: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"rows{os.getpid()}{suffix}"
    path.write_bytes((b"\xef\xbb\xbf" if has_mark else b"") + "".join(pieces).encode())
    file = found(path)
    assert rows_of(file) == list(open_source(str(path)).rows(0))
    assert list(file.rows()) == rows_of(file)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.text(max_size=12)), gap=st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"]))
def test_lines_of_json_are_those_of_the_stream(
    rows: list[str], gap: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"rows{os.getpid()}.jsonl"
    path.write_bytes(gap.join(json.dumps({"text": row}, ensure_ascii=len(row) % 2 == 0) for row in rows)
                     .encode("utf-8", "replace"))  # fmt: skip
    assert rows_of(found(path)) == list(open_source(str(path)).rows(0))


def test_a_row_that_is_no_utf8_or_no_json_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'"a"\n{"text": \n"caf\xe9"\n"b"\n')
    rows = rows_of(found(path))
    assert (rows[0], rows[3]) == ("a", "b")
    assert [isinstance(row, Unreadable) for row in rows] == [False, True, True, False]


def test_a_huge_line_is_a_row_that_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "data.txt"
    with path.open("wb") as file:
        file.write(b"a film\n" * 2000)
        file.truncate(1 << 30)
    rows = found(path)
    assert len(rows) == 2001
    assert rows.row(1999) == "a film"
    assert isinstance(rows.row(2000), Unreadable)


def test_a_file_of_zeros_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(SaliscopeError, match="zero bytes"):
        open_seekable(path)


@pytest.mark.parametrize("change", ["shorter", "longer", "replaced", "gone"])
def test_a_file_that_changes_is_told(tmp_path: Path, change: str) -> None:
    path = write(tmp_path, ".jsonl")
    file = found(path)
    assert file.row(3) == ROWS[3]
    if change == "gone":
        path.unlink()
    elif change == "replaced":
        other = tmp_path / "other"
        other.write_bytes(path.read_bytes())
        other.replace(path)
    else:
        os.truncate(path, path.stat().st_size + (7 if change == "longer" else -700))
    with pytest.raises(SaliscopeError, match="No such file" if change == "gone" else "changed"):
        file.row(3)


def test_a_table_that_cannot_be_read_to_its_end_says_so(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("text\na film\n" + '"' + "x" * 140_000 + '"\n')
    file = found(path)
    assert [file.row(0)] == [{"text": "a film"}]
    assert "below row 1" in file.problem


def test_finding_stops_when_it_is_told_to(tmp_path: Path) -> None:
    path = tmp_path / "data.txt"
    path.write_text("a film\n" * 5000)
    file, stop = open_seekable(path), threading.Event()
    stop.set()
    file.find(stop)
    assert len(file) < 5000
    assert not file.is_complete


def test_a_folder_and_an_unknown_ending_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data.txt").mkdir()
    with pytest.raises(SaliscopeError, match="not a file"):
        open_seekable(tmp_path / "data.txt")
    with pytest.raises(SaliscopeError, match="ends in none of"):
        open_seekable(tmp_path / "data.yaml")


def test_parquet_keeps_the_groups_that_were_looked_at(tmp_path: Path) -> None:
    file = open_seekable(write(tmp_path, ".parquet"))
    assert not isinstance(file, LineFile)
    assert [file.row(number)["text"] for number in (0, 999, 500, 1)] == ["film 0", "film 999", "film 500", "film 1"]
