"""Data sets explained on the bundled models: the library's scores, the same bytes again, and nothing lost to kills."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from bench.load.jobs import run_again, run_kills, run_rows
from pyarrow import parquet

from saliscope.explainers import explain, load
from tests.e2e.conftest import Saliscope

TEXTS = [f"the {noun} is {word}" for noun in ("plot", "cast", "film") for word in ("dull", "funny", "a mess", "warm")]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "sentiment", "name"])
        writer.writerows([text, "positive" if n % 2 else "negative", f"r{n}"] for n, text in enumerate(TEXTS))
    return path


def test_a_table_is_explained_into_parquet_with_the_librarys_scores(
    saliscope: Saliscope, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    shown = saliscope(
        "dataset", "explain", str(table), "--out", str(out), "-m", "occlusion", "--id-field", "name"
    ).stdout
    assert "12 rows, 12 explained by occlusion of demo-encoder" in shown
    assert "speaks for negative" in shown
    rows: list[dict[str, Any]] = parquet.read_table(out).to_pylist()
    assert [(row["row"], row["id"], row["text"]) for row in rows] == [(n, f"r{n}", one) for n, one in enumerate(TEXTS)]
    model = load("demo-encoder", "cpu")
    for row in rows:
        assert row["scores"] == pytest.approx(explain(model, row["text"], method="occlusion").scores.tolist(), abs=1e-5)
        assert row["features"] == [row["text"][a:b] for a, b in zip(row["starts"], row["ends"], strict=True)]
    assert saliscope("dataset", "explain", str(table), "--out", str(out), exit_status=2).stderr.count("exists") == 1


def test_a_deterministic_job_writes_the_same_bytes_again(saliscope: Saliscope, table: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"out{n}.jsonl" for n in range(2)]
    for out in outs:
        saliscope("dataset", "explain", str(table), "--out", str(out), "-m", "kernel-shap", "--deterministic")
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert saliscope("diff", *map(str, outs)).stdout.count("0 predictions change") == 1


def test_jobs_are_listed_and_told(saliscope: Saliscope, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    job = json.loads(saliscope("dataset", "explain", str(table), "--out", str(out), "--detach", "--json").stdout)["job"]
    assert "is done" in saliscope("jobs", "wait", job).stdout
    assert json.loads(saliscope("jobs", "status", job, "--json").stdout)["done"] == 12
    assert job in saliscope("jobs", "list").stdout
    assert json.loads(saliscope("jobs", "results", job, "--json").stdout)["rows"] == 12


@pytest.mark.load
@pytest.mark.timeout(3600)
def test_no_row_is_lost_or_doubled_whatever_is_killed() -> None:
    found = run_kills(5_000, 200)
    print("\n".join(found.lines()))
    assert sum(found.kills.values()) >= 150
    assert (found.missing, found.doubled, found.failed, found.wrong) == (0, 0, 0, 0)


@pytest.mark.load
@pytest.mark.timeout(3600)
def test_memory_is_flat_over_a_million_rows() -> None:
    found = run_rows(1_000_000)
    print("\n".join(found.lines()))
    for sizes in (found.front, found.driver):
        assert sizes[8] < 1.25 * sizes[2] + (16 << 20)


@pytest.mark.load
@pytest.mark.timeout(3600)
def test_the_same_job_again_is_answered_from_what_is_kept() -> None:
    first, second, same = run_again(2_000, "occlusion")
    print(f"{first:.1f} s, then {second:.1f} s")
    assert same
