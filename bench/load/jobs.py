"""Data-set jobs: rows a second and memory with a stub engine, kills of every process, and the same job twice.

`python -m bench.load.jobs [rows|kills|again]` starts daemons of its own and ends them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.load.house import a_text, driver_of, own_daemon
from saliscope.explainers import explain, load
from saliscope.protocol import connect, paths
from saliscope.protocol.client import Client
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import Job

TOLERANCE: Final = 1e-5
#: Who is killed, and how often beside the others: after a front all processes start anew, which takes seconds.
VICTIMS: Final = {"worker": 9, "front": 1, "driver": 9}
#: Between two kills, once everything is up again, at most.
LONGEST_LIFE_S: Final = 0.6
#: The last kill comes when this share of the rows is done.
SPREAD: Final = 0.9
_STUB: Final = Path(__file__).parents[2] / "tests" / "daemon" / "fake_daemon.py"


@dataclass
class Rows:
    """A job with a stub engine: how fast, and the largest resident bytes of each process in tenths of the job."""

    num_rows: int = 0
    seconds: float = 0.0
    merged_s: float = 0.0
    driver: list[int] = field(default_factory=lambda: [0] * 10)
    front: list[int] = field(default_factory=lambda: [0] * 10)

    def lines(self) -> list[str]:
        """The figures, for people."""
        told = [f"{self.num_rows:,} rows in {self.seconds:.1f} s: {self.num_rows / self.seconds:,.0f} rows/s"]
        for name, sizes in (("driver", self.driver), ("front", self.front)):
            told.append(f"  {name}, MB by tenth of the job: {' '.join(f'{size / 1e6:.0f}' for size in sizes)}")
        return told


@dataclass
class Kills:
    """A job under kills: what came of its rows."""

    num_rows: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    doubled: int = 0
    failed: int = 0
    wrong: int = 0
    worst: float = 0.0
    seconds: float = 0.0

    def lines(self) -> list[str]:
        """The figures, for people."""
        killed = ", ".join(f"{count} of the {name}" for name, count in self.kills.items())
        return [
            f"{self.num_rows:,} rows, {sum(self.kills.values())} kills ({killed}) in {self.seconds:.0f} s:",
            f"  {self.missing} rows missing, {self.doubled} doubled, {self.failed} failed, {self.wrong} wrong",
            f"  largest difference {self.worst:.1e}",
        ]


def run_rows(num_rows: int) -> Rows:
    """A file of so many rows through a daemon whose worker answers at once."""
    found = Rows(num_rows)
    with tempfile.TemporaryDirectory(prefix="sal-") as folder, own_daemon():
        data, out = Path(folder) / "data.jsonl", Path(folder) / "out.jsonl"
        write_data(data, num_rows)
        with _stub_daemon() as pid:
            client = connect(start=False)
            begun = time.monotonic()
            job = client.submit_job(str(data), str(out))

            def look(job: Job) -> None:
                tenth = min(9, 10 * job.done // num_rows)
                driver = driver_of(job.job)
                found.front[tenth] = max(found.front[tenth], resident(pid))
                found.driver[tenth] = max(found.driver[tenth], resident(driver) if driver else 0)

            finished = follow(client, job, look)
            found.seconds = time.monotonic() - begun
            assert finished.state == "done", finished.reason
            client.close()
        with open(out) as file:
            assert sum(1 for _ in file) == num_rows
    return found


def run_kills(num_rows: int, num_kills: int, method: str = "occlusion", seed: int = 0) -> Kills:
    """A job on the bundled encoder while its processes are killed at random, from its first row to its last; compared
    to the library.
    """
    rng = random.Random(seed)
    found = Kills(num_rows, dict.fromkeys(VICTIMS, 0))
    with tempfile.TemporaryDirectory(prefix="sal-") as folder, own_daemon():
        data, out = Path(folder) / "data.jsonl", Path(folder) / "out.jsonl"
        texts = write_data(data, num_rows)
        begun = time.monotonic()
        with connect() as client:
            job = client.submit_job(str(data), str(out), model="demo-encoder", method=method)

            def kill(job: Job) -> None:
                # Were they not spread over the rows, all would be used up before the model is loaded twice.
                if job.done < SPREAD * sum(found.kills.values()) * num_rows / num_kills:
                    return
                time.sleep(rng.uniform(0, LONGEST_LIFE_S))
                pids = _pids(client, job.job)
                if len(pids) == len(VICTIMS) and sum(found.kills.values()) < num_kills:
                    [victim] = rng.choices([*VICTIMS], [*VICTIMS.values()])
                    os.kill(pids[victim], signal.SIGKILL)
                    found.kills[victim] += 1

            finished = follow(client, job, kill)
            assert finished.state == "done", finished.reason
        found.seconds = time.monotonic() - begun
        _compare(found, texts, [json.loads(line) for line in out.read_text().splitlines()], method)
    return found


def run_again(num_rows: int, method: str) -> tuple[float, float, bool]:
    """The same job twice: the seconds of each, and whether the outputs are the same bytes."""
    with tempfile.TemporaryDirectory(prefix="sal-") as folder, own_daemon(cache="1GiB"):
        data = Path(folder) / "data.jsonl"
        write_data(data, num_rows)
        seconds, outputs = [], []
        with connect() as client:
            client.load_model("demo-encoder")
            for number in range(2):
                out = Path(folder) / f"out{number}.jsonl"
                begun = time.monotonic()
                job = client.submit_job(str(data), str(out), model="demo-encoder", method=method)
                finished = follow(client, job, lambda _: time.sleep(0.02))
                seconds.append(time.monotonic() - begun)
                assert finished.state == "done", finished.reason
                outputs.append(out.read_bytes())
    return seconds[0], seconds[1], outputs[0] == outputs[1]


def write_data(path: Path, num_rows: int) -> list[str]:
    """Rows of texts that all differ, with labels; the texts of the first 100,000."""
    rng, texts = random.Random(1), []
    with open(path, "w") as file:
        for number in range(num_rows):
            text = f"{a_text(rng, rng.randint(4, 16))} {number}"
            file.write(json.dumps({"text": text, "label": rng.choice(("negative", "positive"))}) + "\n")
            if number < 100_000:
                texts.append(text)
    return texts


def follow(client: Client, job: Job, meanwhile: Callable[[Job], None]) -> Job:
    """The job when it runs no more; `meanwhile` is called all the time. A daemon that is lost is replaced."""
    while job.state == "running":
        meanwhile(job)
        job = client.job_status(job.job)
        time.sleep(0.01)
    return job


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _pids(client: Client, job: str) -> dict[str, int]:
    """The processes that are up."""
    try:
        status = client.status()
    except SaliscopeError:
        return {}
    pids = {"front": status.pid, "driver": driver_of(job)}
    for worker in status.workers:
        pids["worker"] = worker.get("pid")
    return {name: pid for name, pid in pids.items() if pid is not None}


def _compare(found: Kills, texts: list[str], rows: list[dict[str, Any]], method: str) -> None:
    """Count what is missing, there twice, failed, or unlike the library's scores (of every tenth row)."""
    numbers = [row["row"] for row in rows]
    found.missing = len({*range(len(texts))} - {*numbers})
    found.doubled = len(numbers) - len({*numbers})
    model = load("demo-encoder", "cpu")
    for row in rows:
        if row["code"] is not None:
            found.failed += 1
        elif row["row"] % 10 == 0:
            right = explain(model, texts[row["row"]], method=method).scores.tolist()
            worst = max(abs(a - b) for a, b in zip(row["scores"], right, strict=True))
            found.worst = max(found.worst, worst)
            found.wrong += not worst <= TOLERANCE


@contextmanager
def _stub_daemon() -> Iterator[int]:
    """A daemon whose worker computes nothing, where clients of this run look for one; its pid."""
    readable, writable = os.pipe()
    command = [sys.executable, str(_STUB), str(writable), "{}", "--cache", "0"]
    with open(paths.log_path(), "wb") as log:
        process = subprocess.Popen(command, pass_fds=(writable,), stderr=log)
    os.close(writable)
    with open(readable, "rb") as ready:
        assert ready.read() == b"ready\n"
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Print the figures that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.load.jobs", description=__doc__)
    parser.add_argument("what", nargs="*", default=["rows", "kills", "again"])
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="rows of the job with a stub engine")
    parser.add_argument("--job", type=int, default=5_000, metavar="N", help="rows of the jobs with the bundled model")
    parser.add_argument("--kills", type=int, default=200, metavar="N")
    parser.add_argument("--method", default="occlusion")
    given = parser.parse_args()
    if "rows" in given.what:
        print("\n".join(run_rows(given.rows).lines()), flush=True)
    if "kills" in given.what:
        print("\n".join(run_kills(given.job, given.kills, given.method).lines()), flush=True)
    if "again" in given.what:
        first, second, same = run_again(given.job, given.method)
        outputs = "the same" if same else "DIFFERENT"
        print(f"{given.job:,} rows by {given.method}, twice: {first:.1f} s, then {second:.1f} s; outputs {outputs}")
        print(f"  {first / second:.0f} times as fast")


if __name__ == "__main__":
    main()
