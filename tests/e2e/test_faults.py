"""Real processes killed at bad moments: nothing is lost, nobody is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from saliscope.protocol import connect, stop
from saliscope.protocol.client import Client
from saliscope.protocol.evaluations import Evaluation
from saliscope.protocol.results import Progress

TEXTS = [f"the plot is {word} but the cast is {other}" for word in ("dull", "thin") for other in "abcd"]
METHODS = ["input-x-gradient", "occlusion", "lime"]
QUESTION: dict[str, Any] = {"methods": METHODS, "metrics": ["comprehensiveness"], "interval": "normal"}


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A daemon of this test's own, ended afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sal-", dir="/tmp"))
    monkeypatch.setenv("SALISCOPE_RUNTIME_DIR", str(folder / "run"))
    monkeypatch.setenv("SALISCOPE_CACHE_DIR", str(folder / "cache"))
    yield folder
    stop()
    shutil.rmtree(folder)


def until(ask: Callable[[], Any]) -> Any:
    """Ask again until the answer is true; the test's time limit is the only one."""
    while not (answer := ask()):
        time.sleep(0.01)
    return answer


def family(pid: int) -> set[int]:
    """A process and all that come from it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    found = {pid} & parents.keys()
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def living(pids: set[int]) -> set[int]:
    return {pid for pid in pids if family(pid)}


class Job:
    """An evaluation that runs on a thread, and what it tells."""

    def __init__(self, client: Client, out: Path) -> None:
        self.done: list[float] = []
        self.stages: set[str] = set()
        self.found: Evaluation
        self._client, self._out = client, out
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        self.found = self._client.evaluate(TEXTS, on_progress=self._hear, out=str(self._out), **QUESTION)

    def _hear(self, progress: Progress) -> None:
        self.stages.add(progress.stage)
        self.done.append(progress.done)


def worker_of(client: Client) -> int:
    return int(until(lambda: [each for each in client.status().workers if "pid" in each])[0]["pid"])


def units(out: Path) -> list[tuple[int, str]]:
    path = out / "records.jsonl"
    lines = path.read_text().split("\n")[1:-1] if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return [(row["text"], row["name"]) for row in rows]


def test_no_process_outlives_a_killed_front_and_the_next_client_is_served_at_once(home: Path, tmp_path: Path) -> None:
    with connect() as watcher, connect(reconnect=False) as client:
        client.explain("a film", method="attention-flow")
        front = watcher.status().pid
        ended: list[Exception] = []

        def evaluate() -> None:
            try:
                client.evaluate(TEXTS * 20, **QUESTION)
            except Exception as error:
                ended.append(error)

        thread = threading.Thread(target=evaluate)
        thread.start()
        # Front, zygote, worker, a solver and its tracker.
        processes = until(lambda: found if len(found := family(front)) >= 5 else None)
        os.kill(front, signal.SIGKILL)
        thread.join()
        assert "unavailable" in str(ended[0])
        # The lock and the socket of the dead one are in nobody's way.
        assert watcher.explain("a film").scores
        until(lambda: not living(processes))


@pytest.mark.timeout(600)
def test_an_evaluation_goes_on_where_it_was_whoever_is_killed(home: Path, tmp_path: Path) -> None:
    with connect() as watcher, connect() as client:
        expected = client.evaluate(TEXTS, **QUESTION)
        job = Job(client, tmp_path)
        for kill in (lambda: worker_of(watcher), lambda: watcher.status().pid):
            seen = len(units(tmp_path))
            until(lambda: len(units(tmp_path)) > seen)  # noqa: B023
            os.kill(kill(), signal.SIGKILL)
            watcher.methods()
        job.thread.join()
    assert "the daemon ended, asking again" in job.stages
    assert any("running again" in stage for stage in job.stages)
    assert sorted(units(tmp_path)) == sorted({*units(tmp_path)}), "a unit was computed twice"
    assert len(units(tmp_path)) == len(TEXTS) * len(METHODS)
    for row, right in zip(job.found.rows, expected.rows, strict=True):
        for name, cell in row.cells.items():
            assert cell.value == pytest.approx(right.cells[name].value, abs=1e-5)


def test_a_command_survives_the_end_of_its_daemon(home: Path, tmp_path: Path) -> None:
    data = tmp_path / "texts.txt"
    data.write_text("\n".join(TEXTS))
    command = [sys.executable, "-m", "saliscope.cli", "evaluate", "--data", str(data), "--out", str(tmp_path / "out")]
    command += ["--methods", "occlusion,lime", "--metrics", "comprehensiveness", "--json"]
    with connect() as watcher:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: (tmp_path / "out" / "records.jsonl").exists() or running.poll() is not None)
        os.kill(watcher.status().pid, signal.SIGKILL)
        said, complaint = running.communicate()
    assert running.returncode == 0, complaint
    assert json.loads(said)["num_done"] == 2 * len(TEXTS)
