"""Data sets through the library `datasets` itself: folders of one, made here, so that nothing is fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import Fields, open_source, record_of

pytestmark = pytest.mark.hub
pytest.importorskip("datasets", reason="needs the extra `eval` (make test-ray)")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The library keeps what it makes in a folder of the test's, and asks nobody."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of two parts, as the hub would have it."""
    found = tmp_path / "reviews"
    found.mkdir()
    for part, num_rows in (("train", 40), ("test", 300)):
        rows = [{"text": f"{part} {n}", "label": n % 2} for n in range(num_rows)]
        (found / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return found


@pytest.mark.parametrize(("split", "name", "num_rows"), [(None, "test", 300), ("train", "train", 40)])
def test_a_part_of_a_folder_is_read_from_any_row_on(folder: Path, split: str | None, name: str, num_rows: int) -> None:
    reader = open_source(str(folder), split)
    assert reader.total() == num_rows
    assert [row["text"] for row in reader.rows(0)] == [f"{name} {n}" for n in range(num_rows)]
    assert [row["text"] for row in reader.rows(num_rows - 2)] == [f"{name} {n}" for n in (num_rows - 2, num_rows - 1)]
    assert [*reader.rows(num_rows)] == []
    assert record_of(next(iter(reader.rows(1))), Fields(), "row 1") == {"text": f"{name} 1", "label": 1}


def test_a_part_of_a_part_may_be_named(folder: Path) -> None:
    assert [row["text"] for row in open_source(str(folder), "train[10:12]").rows(0)] == ["train 10", "train 11"]


def test_a_data_set_kept_in_parquet_is_read_alike(tmp_path: Path) -> None:
    import datasets

    kept = tmp_path / "kept"
    kept.mkdir()
    datasets.Dataset.from_dict({"sentence": ["a", "b"], "label": [0, 1]}).to_parquet(kept / "test-00000.parquet")
    assert [row["sentence"] for row in open_source(str(kept)).rows(0)] == ["a", "b"]


def test_a_missing_part_is_refused_with_those_there_are(folder: Path) -> None:
    with pytest.raises(SaliscopeError, match="another --split") as caught:
        open_source(str(folder), "validation")
    assert caught.value.code == "bad_request"
    assert "validation" in caught.value.message


def test_a_data_set_that_is_not_there_is_refused() -> None:
    with pytest.raises(SaliscopeError, match="cannot load nobody/nothing") as caught:
        open_source("nobody/nothing")
    assert caught.value.code == "bad_request"


def test_a_folder_with_a_script_runs_nothing(tmp_path: Path) -> None:
    script, trace = tmp_path / "scripted", tmp_path / "trace"
    script.mkdir()
    (script / "scripted.py").write_text(f"open({str(trace)!r}, 'w')\n")
    with pytest.raises(SaliscopeError, match="cannot load"):
        open_source(str(script))
    assert not trace.exists()
