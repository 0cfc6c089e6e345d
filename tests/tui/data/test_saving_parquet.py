"""A row of a Parquet file is put back; a file that is another one meanwhile is left alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import Fields, open_source
from saliscope.tui.data.data_set import DataSet
from saliscope.tui.data.draft import Turn, begin
from saliscope.tui.data.saving import save

ROWS: list[dict[str, Any]] = [{"text": f"film {n}", "label": n % 2, "score": n / 3} for n in range(300)]


def written(folder: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    path = folder / "data.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=100)
    return path


def test_rows_after_one_another(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.chmod(0o640)
    data = DataSet(path, Fields())
    for row, new in ((7, "a much longer text than before"), (250, "日"), (7, ""), (299, "z")):
        draft = save(data, begin(data, row), {"text": new})
        assert draft.texts == {"text": new}
        assert data.record(row).text == new
    expected = [{**one, "text": {7: "", 250: "日", 299: "z"}.get(n, one["text"])} for n, one in enumerate(ROWS)]
    assert list(open_source(str(path)).rows(0)) == expected
    assert [data.file.row(n) for n in range(300)] == expected
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["data.parquet"]


def test_a_pair_and_a_chat(tmp_path: Path) -> None:
    path = written(tmp_path, [{"premise": "a", "hypothesis": "b"}] * 3)
    data = DataSet(path, Fields())
    save(data, begin(data, 1), {"premise": "a", "hypothesis": "c"})
    assert list(open_source(str(path)).rows(0))[1] == {"premise": "a", "hypothesis": "c"}
    path = written(tmp_path, [{"messages": [{"role": "user", "content": "a"}], "n": 1}])
    data = DataSet(path, Fields())
    draft = begin(data, 0)
    assert draft.turns == (Turn("user", "a", 0),)
    save(data, draft, [Turn("system", "é"), Turn("user", "b", 0)])
    assert list(open_source(str(path)).rows(0)) == [
        {"messages": [{"role": "system", "content": "é"}, {"role": "user", "content": "b"}], "n": 1}
    ]


@pytest.mark.parametrize("how", ["touched", "replaced", "gone"])
def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path, how: str) -> None:
    path = written(tmp_path)
    data = DataSet(path, Fields())
    draft = begin(data, 0)
    if how == "touched":
        os.utime(path, ns=(1, 1))
    elif how == "replaced":
        written(tmp_path, ROWS[:5])
    else:
        path.unlink()
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(SaliscopeError, match=r"changed|cannot read"):
        save(data, draft, {"text": "x"})
    assert (path.read_bytes() if path.exists() else None) == before
    assert [one for one in os.listdir(tmp_path) if one.endswith(".new")] == []
