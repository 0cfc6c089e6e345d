"""Methods compared on data through a real daemon, also when its worker dies in the middle."""

from __future__ import annotations

import csv
import json
import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from saliscope.protocol import connect
from saliscope.protocol.client import Client
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.evaluations import Evaluation
from saliscope.protocol.results import Progress

from .conftest import Saliscope

SENTENCES = [
    ("a dull, lifeless and boring film", "negative"),
    ("one of the funniest, warmest films of the year", "positive"),
    ("the plot is a mess and the jokes are stale", "negative"),
    ("the cast is wonderful and the music is fine", "positive"),
    ("a charming and moving story", "positive"),
    ("an awful, tedious waste of time", "negative"),
]
METHODS = ["random", "input-x-gradient", "occlusion"]
METRICS = ["activation", "comprehensiveness", "cost"]
MANY = [(f"{text}, said number {number}", label) for number in range(3) for text, label in SENTENCES]
QUESTION: dict[str, Any] = {"methods": METHODS, "metrics": METRICS}


def units(folder: Path) -> Counter[tuple[int, str]]:
    """How often each unit is among the records; a line that was not finished does not count."""
    _, *lines, _ = (folder / "records.jsonl").read_bytes().split(b"\n")
    return Counter((line["text"], line["name"]) for line in map(json.loads, lines))


def once_each(count: int, methods: list[str]) -> dict[tuple[int, str], int]:
    return {(text, name): 1 for text in range(count) for name in methods}


def numbers(found: Evaluation) -> dict[tuple[str, str], float | None]:
    return {(row.name, metric): cell.value for row in found.rows for metric, cell in row.cells.items()}


def test_the_command_compares_methods_and_keeps_records_and_tables(saliscope: Saliscope, tmp_path: Path) -> None:
    data, out = tmp_path / "reviews.csv", tmp_path / "results"
    with open(data, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *SENTENCES])
    arguments = ["evaluate", "--data", str(data), "--methods", ",".join(METHODS), "--metrics", ",".join(METRICS)]
    shown = saliscope(*arguments, "--out", str(out)).stdout
    for name in (*METHODS, *METRICS, "demo-encoder: 6 texts, accuracy 1", "★"):
        assert name in shown
    assert units(out) == once_each(len(SENTENCES), METHODS)
    table = json.loads((out / "table.json").read_text(encoding="utf-8"))
    assert table["num_done"] == len(SENTENCES) * len(METHODS)
    with open(out / "table.csv", encoding="utf-8", newline="") as file:
        assert {row["method"] for row in csv.DictReader(file)} == set(METHODS)
    again = json.loads(saliscope(*arguments, "--out", str(out), "--json").stdout)
    assert again["rows"] == table["rows"]
    assert units(out) == once_each(len(SENTENCES), METHODS)
    refused = saliscope(*arguments, "--out", str(out), "--seed", "1", exit_status=2)
    assert str(out / "records.jsonl") in refused.stderr


@pytest.fixture(scope="module")
def undisturbed(environment: dict[str, str]) -> dict[tuple[str, str], float | None]:
    """The numbers of a run in which no worker dies."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with connect() as client:
            return numbers(client.evaluate(MANY, **QUESTION))


@pytest.mark.parametrize("kills", [1, 2])
def test_a_worker_that_is_killed_loses_nothing(
    client: Client, undisturbed: dict[tuple[str, str], float | None], tmp_path: Path, kills: int
) -> None:
    """Killed, the request goes on in the next worker; where it fails the second time, the next call goes on."""
    total = len(MANY) * len(METHODS)
    counts: list[float] = []
    killed: list[int] = []
    reached = threading.Event()
    thresholds = [total // 10, total // 3]

    def on_progress(progress: Progress) -> None:
        if progress.stage == "evaluating":
            assert progress.total == total
            counts.append(progress.done)
            if len(killed) < kills and progress.done >= thresholds[len(killed)]:
                reached.set()

    def killer() -> None:
        with connect() as other:
            for _ in range(kills):
                assert reached.wait(60)
                pid = other.status().workers[0]["pid"]
                assert pid not in killed
                killed.append(pid)
                reached.clear()
                os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=killer)
    thread.start()
    failure = None
    try:
        found = client.evaluate(MANY, out=str(tmp_path), on_progress=on_progress, **QUESTION)
    except SaliscopeError as error:
        failure = error
    thread.join()
    assert len(killed) == kills
    if failure is not None:
        # What was kept between the two clears it of the first, if it was told of before the second came.
        assert kills == 2
        assert (failure.code, "signal 9" in failure.message) == ("internal", True)
        kept = sum(units(tmp_path).values())
        assert thresholds[1] <= kept < total
        counts.clear()
        found = client.evaluate(MANY, out=str(tmp_path), on_progress=on_progress, **QUESTION)
        assert counts[0] == kept
    assert found.num_done == total
    assert units(tmp_path) == once_each(len(MANY), METHODS)
    assert not any(row.failures for row in found.rows)
    assert numbers(found) == pytest.approx(undisturbed, abs=1e-4)
    assert client.status().workers[0]["pid"] not in killed
