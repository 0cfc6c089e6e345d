"""A cluster that was there before: two machines, as two nodes on this one, of which one is lost."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.load.house import own_daemon
from bench.load.jobs import follow, write_data

from saliscope.protocol import connect
from saliscope.protocol.jobs import Job

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
pytest.importorskip("ray", reason="needs the extra `ray` (make test-ray)")

RAY = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", "--num-gpus=1",
       "--object-store-memory=100000000", "--disable-usage-stats")  # fmt: skip


#: Waits until both nodes are there.
BOTH = """
import sys, time, ray
ray.init(address=sys.argv[1], log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) < 2:
    time.sleep(0.1)
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a cluster of two nodes, each of which says that it has a GPU, and the process of the second."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    folder, address = tempfile.mkdtemp(prefix="sal-", dir="/tmp"), f"127.0.0.1:{free_port()}"
    head = [*RAY, "--head", f"--port={address.rpartition(':')[2]}", "--include-dashboard=false", f"--temp-dir={folder}"]
    processes = [subprocess.Popen(head, stdout=subprocess.DEVNULL, start_new_session=True)]
    try:
        while not listens(address):
            assert processes[0].poll() is None
            time.sleep(0.1)
        second = [*RAY, f"--address={address}"]
        processes.append(subprocess.Popen(second, stdout=subprocess.DEVNULL, start_new_session=True))
        subprocess.run([sys.executable, "-c", BOTH, address], check=True)
        yield address, processes[1]
    finally:
        for process in reversed(processes):
            end(process)
        shutil.rmtree(folder, ignore_errors=True)


def listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as sock:
        return sock.connect_ex((host, int(port))) == 0


def end(process: subprocess.Popen[bytes]) -> None:
    """End a node: `ray start --block` and all that it has started."""
    for pid in children_of(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()


def children_of(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def test_a_machine_that_is_lost_takes_no_row_along(nodes: tuple[str, subprocess.Popen[bytes]], tmp_path: Path) -> None:
    address, second = nodes
    num_rows = 400
    data, out = tmp_path / "data.jsonl", tmp_path / "out.jsonl"
    texts = write_data(data, num_rows)
    lost: list[int] = []
    with own_daemon("--engine=ray", f"--ray-address={address}"), connect() as client:
        # One for each GPU.
        assert client.load_model("demo-encoder").replicas == 2
        while len([worker for worker in client.status().workers if "queue" in worker]) != 2:
            time.sleep(0.1)
        job = client.submit_job(str(data), str(out), model="demo-encoder", method="occlusion")

        def lose(job: Job) -> None:
            if not lost and job.done >= num_rows // 4:
                end(second)
                lost.append(job.done)

        finished = follow(client, job, lose)
        assert (finished.state, finished.reason, finished.failed) == ("done", "", 0)
    assert lost[0] < num_rows
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["row"], row["text"]) for row in rows] == [*enumerate(texts)]
