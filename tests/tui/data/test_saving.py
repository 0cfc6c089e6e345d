"""A record is put back, and nothing else in its file changes by a byte."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import Fields, open_source
from saliscope.sources.seeking import LineFile
from saliscope.tui.data.data_set import DataSet
from saliscope.tui.data.draft import Draft, begin
from saliscope.tui.data.saving import save as save_all

#: Texts that an editor can hold: its line breaks are line feeds.
TEXTS = st.text(st.sampled_from('ab ,\t"\\\n{}:é日😀\x7f\u2028\x85/'), max_size=12)
SUFFIXES = [".jsonl", ".csv", ".tsv"]


def save(data: DataSet, draft: Draft, new: str) -> Draft:
    """Write the row with another text."""
    return save_all(data, draft, dict.fromkeys(draft.texts, new))


def opened(path: Path) -> DataSet:
    data = DataSet(path, Fields())
    data.find()
    return data


def written(folder: Path, suffix: str, texts: list[str], break_: str, *, has_mark: bool, ascii: bool) -> Path:
    path = folder / f"data{os.getpid()}{suffix}"
    if suffix == ".jsonl":
        rows = [json.dumps({"id": n, "text": text, "label": "x"}, ensure_ascii=ascii) for n, text in enumerate(texts)]
        content = break_.join(rows) + break_
    else:
        out = io.StringIO()
        rows_out = csv.writer(out, "excel-tab" if suffix == ".tsv" else "excel", lineterminator=break_)
        rows_out.writerows([["id", "text", "label"], *([n, text, "x"] for n, text in enumerate(texts))])
        content = out.getvalue()
    path.write_bytes((b"\xef\xbb\xbf" if has_mark else b"") + content.encode("utf-8"))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=120, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4), new=TEXTS, which=st.integers(0, 3), has_mark=st.booleans(),
       break_=st.sampled_from(["\n", "\r\n"]), ascii=st.booleans())  # fmt: skip
def test_one_cell_changes_and_no_other_byte(
    suffix: str, texts: list[str], new: str, which: int, has_mark: bool, break_: str, ascii: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    path = written(tmp_path_factory.getbasetemp(), suffix, texts, break_, has_mark=has_mark, ascii=ascii)
    before, row = path.read_bytes(), which % len(texts)
    rows = list(open_source(str(path)).rows(0))
    data = opened(path)
    file = data.file
    assert isinstance(file, LineFile)
    span = file.places[row]
    draft = save(data, begin(data, row), new)
    after = path.read_bytes()
    assert after[: span.start] == before[: span.start]
    assert after[span.start + len(draft.raw) :] == before[span.end :]
    assert list(open_source(str(path)).rows(0)) == [
        {**one, "text": new} if n == row else one for n, one in enumerate(rows)
    ]
    assert [file.row(n) for n in range(len(file))] == list(open_source(str(path)).rows(0))
    # And back again.
    save(data, draft, rows[row]["text"])
    assert list(open_source(str(path)).rows(0)) == rows


@pytest.mark.parametrize(
    ("line", "new", "expected"),
    [
        (r'{"a": [1, {"text": "no"}], "text" :"caf\u00e9 \/ x", "n": 1e3}', "café / y",
         r'{"a": [1, {"text": "no"}], "text" :"caf\u00e9 \/ y", "n": 1e3}'),
        (r'{"text": "old", "text": "caf\u00e9"}', "日", r'{"text": "old", "text": "\u65e5"}'),
        ('{"text": "é\\u00e9"}', "éé日", '{"text": "é\\u00e9日"}'),
        (r'{"text": "\ud83d\ude00 a"}', "😀 b", r'{"text": "\ud83d\ude00 b"}'),
        ('"just a film"', "just a \"play\"", '"just a \\"play\\""'),
    ],
)  # fmt: skip
def test_escapes_stay_as_they_were(tmp_path: Path, line: str, new: str, expected: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(line + "\n")
    data = opened(path)
    save(data, begin(data, 0), new)
    assert path.read_text() == expected + "\n"


@pytest.mark.parametrize(
    ("row", "new", "expected"),
    [
        ("1,plain,x", "other", "1,other,x"),
        ("1,plain,x", "a, b", '1,"a, b",x'),
        ('1,"quoted ""so""",x', 'quoted "no"', '1,"quoted ""no""",x'),
        ('1,"two\r\nlines",x', "two\nmore\nlines", '1,"two\r\nmore\r\nlines",x'),
        ("1,plain,x", "", '1,"",x'),
        ('1,"odd"ly,x', "even", '1,"even",x'),
    ],
)
def test_quotes_stay_as_they_were(tmp_path: Path, row: str, new: str, expected: str) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(f"id,text,label\r\n{row}\r\n2,b,y".encode())
    data = opened(path)
    save(data, begin(data, 0), new)
    assert path.read_bytes().decode() == f"id,text,label\r\n{expected}\r\n2,b,y"


@pytest.mark.parametrize("new", ["two\nlines", "", "  ", "a\rb"])
def test_a_line_of_text_stays_one_line(tmp_path: Path, new: str) -> None:
    path = tmp_path / "data.txt"
    path.write_text("one\ntwo\n")
    data = opened(path)
    with pytest.raises(SaliscopeError, match="one line"):
        save(data, begin(data, 0), new)
    assert path.read_text() == "one\ntwo\n"


@pytest.mark.parametrize("how", ["touched", "replaced", "shorter"])
def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path, how: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b"}\n')
    data = opened(path)
    draft = begin(data, 0)
    if how == "touched":
        os.utime(path, ns=(1, 1))
    elif how == "replaced":
        (tmp_path / "new").write_text('{"text": "c"}\n{"text": "d"}\n')
        (tmp_path / "new").replace(path)
    else:
        os.truncate(path, 5)
    before = path.read_bytes()
    with pytest.raises(SaliscopeError, match="changed"):
        save(data, draft, "x")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["data.jsonl"]


def test_mode_and_link_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    real.write_text('{"text": "a"}\n')
    real.chmod(0o640)
    link.symlink_to(real)
    data = opened(link)
    save(data, begin(data, 0), "b")
    assert link.is_symlink()
    assert real.read_text() == '{"text": "b"}\n'
    assert real.stat().st_mode & 0o777 == 0o640


def test_two_rows_after_one_another(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("".join(f'{{"text": "film {n}"}}\n' for n in range(300)))
    data = opened(path)
    for row, new in ((7, "a much longer text than before"), (250, "x"), (7, "y"), (299, "z")):
        save(data, begin(data, row), new)
    rows: list[Any] = [one["text"] for one in open_source(str(path)).rows(0)]
    assert (rows[7], rows[250], rows[299], rows[8], rows[298]) == ("y", "x", "z", "film 8", "film 298")


def test_what_cannot_be_edited_says_why(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"n": 1}\n')
    data = opened(path)
    with pytest.raises(SaliscopeError, match="no field"):
        begin(data, 0)


def test_a_number_that_is_none_does_not_stand_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "a", "score": NaN}\n')
    data = opened(path)
    save(data, begin(data, 0), "b")
    assert path.read_text() == '{"text": "b", "score": NaN}\n'


def test_rows_that_are_still_being_found_are_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "data.txt"
    path.write_text("a film\n" * 3000)
    data, stop = DataSet(path, Fields()), threading.Event()
    stop.set()
    data.file.find(stop)
    with pytest.raises(SaliscopeError, match="still being found"):
        save(data, begin(data, 0), "x")
