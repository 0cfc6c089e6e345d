"""Three actors of a Ray of our own, on the bundled model: rows are explained once, whoever is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench.load.house import a_text
from bench.load.jobs import follow, write_data
from tests.daemon.cluster.conftest import NUM_ACTORS, is_there, parent_of

from saliscope.protocol import connect
from saliscope.protocol.client import Client
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import Job

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
pytest.importorskip("ray", reason="needs the extra `ray` (make test-ray)")

NUM_ROWS = 400


def workers(client: Client, num: int = NUM_ACTORS) -> list[dict[str, Any]]:
    """The workers that have the model, once there are so many."""
    while True:
        status = client.status()
        found = [worker for worker in status.workers if worker["engine"] == "ray" and "queue" in worker]
        num_local = len(status.workers) - len(found)
        num_ready = sum(model.state == "ready" for model in status.models)
        if len(found) == num and num_ready == num + num_local:
            return found
        time.sleep(0.1)


def actor_of(worker: dict[str, Any]) -> int:
    """The process of the actor that has started a worker: the parent of its zygote."""
    return parent_of(parent_of(worker["pid"]))


def run(
    client: Client, data: Path, out: Path, meanwhile: Callable[[Job], None], **options: Any
) -> list[dict[str, Any]]:
    """The rows of a job that must get done."""
    job = client.submit_job(str(data), str(out), model="demo-encoder", method="occlusion", **options)
    finished = follow(client, job, meanwhile)
    assert (finished.state, finished.reason, finished.failed) == ("done", "", 0)
    return [json.loads(line) for line in out.read_text().splitlines()]


def nothing(job: Job) -> None:
    time.sleep(0.05)


def assert_same(rows: list[dict[str, Any]], right: list[dict[str, Any]]) -> None:
    """The same rows in the same order, with scores that agree within 1e-5."""
    assert [row["row"] for row in rows] == [row["row"] for row in right] == [*range(NUM_ROWS)]
    for one, other in zip(rows, right, strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ray") / "data.jsonl"
    write_data(path, NUM_ROWS)
    return path


@pytest.fixture(scope="module")
def undisturbed(cluster: None, data: Path) -> list[dict[str, Any]]:
    """What the local worker finds."""
    with connect() as client:
        return run(client, data, data.with_name("local.jsonl"), nothing, engine="local")


@pytest.mark.parametrize("victim", ["actor", "worker", "driver"])
def test_a_kill_in_the_middle_of_a_chunk_loses_no_row_and_doubles_none(
    client: Client, data: Path, undisturbed: list[dict[str, Any]], tmp_path: Path, victim: str
) -> None:
    client.load_model("demo-encoder")
    one = workers(client, NUM_ACTORS)[0]
    driver = driver_pid()
    pid = {"actor": actor_of(one), "worker": one["pid"], "driver": driver}[victim]
    others = [actor_of(worker) for worker in workers(client)]
    killed: list[int] = []

    def kill(job: Job) -> None:
        if not killed and job.done >= NUM_ROWS // 4:
            os.kill(pid, signal.SIGKILL)
            killed.append(job.done)

    rows = run(client, data, tmp_path / "out.jsonl", kill, engine="ray")
    assert killed
    assert killed[0] < NUM_ROWS
    assert_same(rows, undisturbed)
    if victim == "driver":
        # The whole cluster was its own, and is gone.
        while any(map(is_there, others)):
            time.sleep(0.1)
    # As many as before.
    now = workers(client)
    assert one["pid"] not in {worker["pid"] for worker in now}


def driver_pid() -> int:
    """The process of our driver: the child of our daemon that is one."""
    with connect() as client:
        front = client.status().pid
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                is_driver = b"saliscope.daemon.cluster" in (folder / "cmdline").read_bytes().split(b"\0")
                if is_driver and parent_of(int(folder.name)) == front:
                    return int(folder.name)
            except OSError:
                continue
    raise AssertionError("there is no driver")


def test_all_actors_have_rows_of_a_job(client: Client, data: Path, tmp_path: Path) -> None:
    client.load_model("demo-encoder")
    before = {worker["pid"]: worker["counters"]["rows"] for worker in workers(client)}
    run(client, data, tmp_path / "out.jsonl", nothing, engine="ray")
    gained = {worker["pid"]: worker["counters"]["rows"] - before[worker["pid"]] for worker in workers(client)}
    assert min(gained.values()) > sum(gained.values()) / NUM_ACTORS / 2


def test_short_requests_go_to_the_actor_with_the_least_to_do(client: Client) -> None:
    client.load_model("demo-encoder")
    before = {worker["pid"]: worker["counters"]["rows"] for worker in workers(client)}
    texts = [f"the cast is warm {n}" for n in range(30)]
    found: list[float] = []

    def ask(mine: list[str]) -> None:
        with connect() as own:
            found.extend(sum(own.explain(text, model="demo-encoder", method="occlusion").scores) for text in mine)

    threads = [threading.Thread(target=ask, args=(texts[at::3],)) for at in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 30
    gained = {worker["pid"]: worker["counters"]["rows"] - before[worker["pid"]] for worker in workers(client)}
    assert min(gained.values()) > 0


def test_a_cancel_reaches_the_actor(client: Client, tmp_path: Path) -> None:
    client.load_model("demo-encoder")
    import random

    long = tmp_path / "long.jsonl"
    rng = random.Random(0)
    long.write_text("".join(json.dumps({"text": a_text(rng, 200)}) + "\n" for _ in range(500)))
    job = client.submit_job(str(long), str(tmp_path / "out.jsonl"), model="demo-encoder", method="occlusion")
    while sum(worker["queue"]["requests"] for worker in workers(client)) < NUM_ACTORS:
        time.sleep(0.05)
    assert client.cancel_job(job.job).state == "cancelled"
    while any(worker["queue"]["requests"] for worker in workers(client)):
        time.sleep(0.05)
    assert sum(worker["counters"]["cancelled"] for worker in workers(client)) >= NUM_ACTORS
    assert not (tmp_path / "out.jsonl.parts").exists()


def test_an_address_without_a_cluster_is_refused_with_advice(data: Path, tmp_path: Path) -> None:
    from bench.load.house import own_daemon

    with own_daemon("--ray-address=127.0.0.1:9"), connect() as client:
        with pytest.raises(SaliscopeError, match=r"there is no Ray cluster at 127\.0\.0\.1:9") as caught:
            client.submit_job(str(data), str(tmp_path / "out.jsonl"), engine="ray")
        assert caught.value.code == "bad_request"
        assert client.list_jobs() == []
