"""The local engine and the zygote under it: workers that die, and who dies with whom."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from saliscope.daemon.engines.local import LocalEngine
from saliscope.daemon.engines.zygote import ZygoteSpawner
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification

Until = Callable[[Callable[[], Any]], Any]
Gone = Callable[[int], None]
HERE = Path(__file__).parent


def spawner(script: str = "fake_zygote.py") -> ZygoteSpawner:
    return ZygoteSpawner((sys.executable, str(HERE / script), "--fd"))


def with_engine(use: Callable[[LocalEngine], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        engine = LocalEngine(spawner())
        try:
            return await use(engine)
        finally:
            await engine.close()

    return asyncio.run(run())


def explain(text: str, stream: bool = False) -> tuple[str, dict[str, Any]]:
    return "explain", {"text": text, "stream": stream}


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def pid_of(engine: LocalEngine) -> int:
    return int((await engine.call("status", {}))["pid"])


def test_no_worker_is_started_before_one_is_needed() -> None:
    async def use(engine: LocalEngine) -> None:
        assert await engine.facts() == []
        assert engine.catalogue() is None

    with_engine(use)


def test_requests_that_arrive_together_share_one_start_and_are_told_of_it() -> None:
    async def use(engine: LocalEngine) -> None:
        told: list[Notification] = []
        calls = [engine.call("status", {}, told.append) for _ in range(5)]
        assert len({answer["pid"] for answer in await asyncio.gather(*calls)}) == 1
        assert [note.params for note in told] == [{"stage": "starting the worker"}] * 5
        assert [method.name for method in engine.catalogue() or ()] == ["fake"]

    with_engine(use)


def test_whoever_cancels_while_the_worker_starts_does_not_cancel_the_start() -> None:
    async def use(engine: LocalEngine) -> None:
        first = asyncio.create_task(engine.call("status", {}))
        second = asyncio.create_task(engine.call("status", {}))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second)["device"] == "fake"
        assert first.cancelled()

    with_engine(use)


def test_a_worker_killed_from_outside_is_replaced() -> None:
    async def use(engine: LocalEngine) -> None:
        first = await pid_of(engine)
        os.kill(first, signal.SIGKILL)
        assert await pid_of(engine) != first

    with_engine(use)


def test_a_killed_zygote_is_replaced() -> None:
    async def use(engine: LocalEngine) -> None:
        first = await pid_of(engine)
        os.kill(parent_of(first), signal.SIGKILL)
        assert (await engine.call(*explain("a")))["estimate"] == "final"
        while await pid_of(engine) == first:
            pass

    with_engine(use)


def test_a_zygote_that_cannot_start_fails_the_request_with_the_reason() -> None:
    async def run() -> None:
        engine = LocalEngine(ZygoteSpawner((sys.executable, "-c", "raise SystemExit(3)")))
        with pytest.raises(SaliscopeError, match="exit status 3") as caught:
            await engine.call("status", {})
        assert caught.value.code == "internal"
        await engine.close()

    asyncio.run(run())


def test_a_worker_that_ends_before_it_is_ready_fails_the_request(tmp_path: Path) -> None:
    script = tmp_path / "zygote.py"
    script.write_text(
        "import socket, sys\n"
        "from saliscope.daemon.worker.zygote import run\n"
        "run(socket.socket(fileno=int(sys.argv[1])), lambda sock, marks: sys.exit('no model'))\n"
    )

    async def run() -> None:
        engine = LocalEngine(ZygoteSpawner((sys.executable, str(script))))
        with pytest.raises(SaliscopeError, match=r"ended while starting \(exit status 1\)"):
            await engine.call("status", {})
        await engine.close()

    asyncio.run(run())


def test_workers_end_with_the_engine(gone: Gone) -> None:
    gone(with_engine(pid_of))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_and_zygote_end_with_the_daemon(daemon: Any, gone: Gone, number: signal.Signals) -> None:
    client = daemon.client()
    client.explain("a")
    worker = client.status().workers[0]["pid"]
    zygote = parent_of(worker)
    daemon.process.send_signal(number)
    gone(worker)
    gone(zygote)


def test_a_second_signal_does_not_wait_for_requests(daemon: Any, until: Until) -> None:
    client, other = daemon.client(), daemon.client()
    failures: list[SaliscopeError] = []

    def hang() -> None:
        with pytest.raises(SaliscopeError) as caught:
            client.explain("hang")
        failures.append(caught.value)

    thread = threading.Thread(target=hang)
    thread.start()
    until(lambda: other.status().requests["in_flight"] == 1)
    daemon.process.terminate()

    def is_closing() -> bool:
        try:
            other.explain("a")
        except SaliscopeError as error:
            return error.code == "shutting_down"
        return False

    until(is_closing)
    daemon.process.terminate()
    thread.join()
    assert failures[0].code == "cancelled"
    assert daemon.process.wait() == 0


def test_the_zygote_reports_the_end_of_each_child_and_ends_with_its_control_socket() -> None:
    control, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, str(HERE / "fake_zygote.py"), "--fd", str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=(theirs.fileno(),))
    lines = control.makefile("r")
    assert '"ready"' in lines.readline()
    for _ in range(3):
        ours, worker = socket.socketpair()
        with worker:
            socket.send_fds(control, [b"F"], [worker.fileno()])
        assert '"forked"' in lines.readline()
        assert b"worker/ready" in ours.recv(1000)
        ours.close()
        assert '"how": "exit status 0"' in lines.readline()
    control.shutdown(socket.SHUT_WR)
    assert process.wait() == 0
    control.close()
    lines.close()
