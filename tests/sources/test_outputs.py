"""The output of a job, while it is made and when it is there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from saliscope.sources.outputs import Output


def row(number: int) -> dict[str, Any]:
    return {
        "row": number, "id": str(number), "label": "positive", "slices": {}, "text": f"film {number}",
        "prediction": "negative", "prediction_index": 0, "probability": 0.75, "target": "negative", "value": 1.0,
        "features": ["film"], "starts": [0], "ends": [4], "scores": [float(number)], "truncated_at": None,
        "method": "occlusion", "code": None, "message": None,
    }  # fmt: skip


def chunk(out: Path, number: int, rows: range) -> None:
    folder = out.with_name(out.name + ".parts")
    folder.mkdir(exist_ok=True)
    (folder / f"{number:06d}.jsonl").write_text("".join(json.dumps(row(n)) + "\n" for n in rows))


def finish(out: Path, count: int) -> None:
    """Merge as a job does: the file appears, the chunks go."""
    if out.suffix == ".parquet":
        rows = [{**row(n), "slices": []} for n in range(count)]
        parquet.write_table(pa.Table.from_pylist(rows).drop_columns(["slices"]), out)
    else:
        out.write_text("".join(json.dumps(row(n)) + "\n" for n in range(count)))
    shutil.rmtree(out.with_name(out.name + ".parts"), ignore_errors=True)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_each_row_is_told_once_as_chunks_come_and_are_merged(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    output = Output(out)
    assert list(output.news(is_done=False)) == []
    chunk(out, 1, range(32, 64))
    assert [found.row for found in output.news(is_done=False)] == list(range(32, 64))
    chunk(out, 0, range(32))
    assert [found.row for found in output.news(is_done=False)] == list(range(32))
    assert list(output.news(is_done=False)) == []
    found = output.row(40)
    assert found is not None
    assert (found.scores, found.text) == ([40.0], "film 40")
    assert output.row(70) is None
    finish(out, 80)
    assert [found.row for found in output.news(is_done=True)] == list(range(64, 80))
    found = output.row(70)
    assert found is not None
    assert (found.scores, found.prediction, found.probability) == ([70.0], "negative", 0.75)
    assert output.row(80) is None
    output.close()


def test_a_file_of_the_same_name_from_before_is_not_this_output(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    finish(out, 5)
    output = Output(out)
    assert list(output.news(is_done=False)) == []
    assert len(list(output.news(is_done=True))) == 5
