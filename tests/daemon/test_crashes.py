"""What becomes of the requests whose worker dies: who is charged, who runs again, who gives up."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from saliscope.daemon.engines import local
from saliscope.daemon.engines.local import LocalEngine
from saliscope.daemon.engines.trial import MAX_RUNS, Trial
from saliscope.daemon.engines.zygote import ZygoteSpawner
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification

ZYGOTE = (sys.executable, str(Path(__file__).with_name("fake_zygote.py")), "--fd")
ALONE = {"alone": True}


def with_engine(use: Callable[[LocalEngine], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        engine = LocalEngine(ZygoteSpawner(ZYGOTE))
        try:
            await engine.call(*explain("the model is known to load"))
            await use(engine)
        finally:
            await engine.close()

    asyncio.run(run())


def explain(text: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "explain", {"text": text, "stream": True, **fields}


class Request:
    """A request in flight, and what was notified about it."""

    def __init__(self, engine: LocalEngine, method: str, params: dict[str, Any]) -> None:
        self.stages: list[str] = []
        self._begun = asyncio.Event()
        self.task = asyncio.create_task(engine.call(method, params, self._hear))

    async def begun(self) -> Request:
        """Wait until the worker has sent a first partial estimate."""
        await self._begun.wait()
        return self

    def _hear(self, note: Notification) -> None:
        self._begun.set()
        if note.method == "$/progress" and note.params is not None:
            self.stages.append(note.params["stage"])


async def until(ask: Callable[[], bool]) -> None:
    while not ask():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def pid_of(engine: LocalEngine) -> int:
    return int((await engine.call("status", {}))["pid"])


def test_only_those_in_the_crashed_micro_batch_run_alone_and_all_are_told(tmp_path: Path) -> None:
    async def use(engine: LocalEngine) -> None:
        crashed = tmp_path / "crashed"
        innocent = await Request(engine, *explain(f"until {crashed}")).begun()
        beside = await Request(engine, *explain("beside")).begun()
        guilty = Request(engine, *explain(f"crash-once {crashed}"))
        assert (await guilty.task)["estimate"] == "final"
        assert (await beside.task)["diagnostics"] == ALONE
        assert (await innocent.task)["diagnostics"] == {}
        for request in (innocent, beside, guilty):
            assert "the worker ended (signal 9), running again" in request.stages

    with_engine(use)


def test_the_alone_ones_run_one_at_a_time_after_the_innocent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    order: list[str] = []
    run = LocalEngine._run

    async def record(self: LocalEngine, worker: Any, trial: Trial, params: Any, listen: Any) -> Any:
        order.append(f"+{params['text'].split()[0]}")
        try:
            return await run(self, worker, trial, params, listen)
        finally:
            order.append(f"-{params['text'].split()[0]}")

    async def use(engine: LocalEngine) -> None:
        crashed = tmp_path / "crashed"
        first = await Request(engine, *explain("beside")).begun()
        second = await Request(engine, *explain("beside")).begun()
        innocent = await Request(engine, *explain(f"until {crashed}")).begun()
        monkeypatch.setattr(LocalEngine, "_run", record)
        os.close(os.open(crashed, os.O_CREAT))
        with pytest.raises(SaliscopeError):
            await engine.call(*explain("crash"))
        await asyncio.gather(first.task, second.task, innocent.task)

    with_engine(use)
    again = [step for step in order if "crash" not in step]
    assert again == ["+until", "-until", "+beside", "-beside", "+beside", "-beside"]


def test_an_innocent_that_takes_long_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "HEAD_START_S", 0.01)

    async def use(engine: LocalEngine) -> None:
        hanging = await Request(engine, *explain("hang")).begun()
        with pytest.raises(SaliscopeError):
            await engine.call(*explain("crash"))
        assert not hanging.task.done()
        hanging.task.cancel()

    with_engine(use)


def test_what_crashed_twice_fails_with_the_reason_and_its_neighbours_do_not() -> None:
    async def use(engine: LocalEngine) -> None:
        beside = await Request(engine, *explain("beside")).begun()
        with pytest.raises(
            SaliscopeError, match=r"signal 9 ended the worker .* 2 times, the last time alone"
        ) as caught:
            await engine.call(*explain("crash"))
        assert caught.value.code == "internal"
        assert caught.value.data == {"reason": "signal 9", "charged": 2}
        assert (await beside.task)["diagnostics"] == ALONE
        assert (await engine.call(*explain("a")))["estimate"] == "final"

    with_engine(use)


def test_the_innocent_are_not_charged_however_often_their_worker_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "BACK_OFF_S", 0.0)

    async def use(engine: LocalEngine) -> None:
        hanging = await Request(engine, *explain("hang")).begun()
        for _ in range(1, MAX_RUNS):
            hanging.stages.clear()
            os.kill(await pid_of(engine), signal.SIGKILL)
            await until(lambda: "the worker ended (signal 9), running again" in hanging.stages)
        os.kill(await pid_of(engine), signal.SIGKILL)
        with pytest.raises(SaliscopeError, match=f"ended {MAX_RUNS} times .* not to be its fault") as caught:
            await hanging.task
        assert caught.value.data == {"reason": "signal 9", "runs": MAX_RUNS}

    with_engine(use)


def test_a_model_that_never_answered_is_suspected_of_what_happens_while_it_loads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "HEAD_START_S", 0.01)

    async def use(engine: LocalEngine) -> None:
        innocent = await Request(engine, *explain("hang")).begun()
        newcomer = await Request(engine, *explain("hang", model="huge")).begun()
        os.kill(await pid_of(engine), signal.SIGKILL)
        await until(lambda: newcomer.stages[-1:] == ["the worker ended (signal 9), running again"])
        while (await engine.call("status", {}))["queue"]["waiting"] != 2:
            pass
        os.kill(await pid_of(engine), signal.SIGKILL)
        with pytest.raises(SaliscopeError, match="2 times, the last time alone"):
            await newcomer.task
        assert not innocent.task.done()
        innocent.task.cancel()

    with_engine(use)


def test_an_idle_worker_that_dies_is_replaced_at_once_with_the_model_that_was_used_last() -> None:
    async def use(engine: LocalEngine) -> None:
        pid = await pid_of(engine)
        os.kill(pid, signal.SIGKILL)
        while not [each for each in await engine.facts() if each.get("counters", {}).get("loads") == 1]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert (await engine.facts())[0]["pid"] != pid

    with_engine(use)


def test_restarts_wait_longer_with_each_crash_in_a_row_and_an_answer_resets_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        if seconds in (0.1, 0.2, 0.4, 0.8):
            waits.append(seconds)
            seconds = 0.0
        await sleep(seconds)

    async def use(engine: LocalEngine) -> None:
        for _ in range(2):
            with pytest.raises(SaliscopeError):
                await engine.call(*explain("crash"))
        assert (await engine.call(*explain("a")))["estimate"] == "final"
        with pytest.raises(SaliscopeError):
            await engine.call(*explain("crash"))
        await engine.call(*explain("a"))

    monkeypatch.setattr(asyncio, "sleep", note)
    with_engine(use)
    # Four crashes in a row, then an answer, then two.
    assert waits == [0.1, 0.2, 0.4, 0.1]


@pytest.mark.parametrize("kept", [True, False])
def test_an_evaluation_that_keeps_what_it_finds_is_charged_only_where_it_stands_still(kept: bool) -> None:
    trial = Trial("evaluate", {"out": "/somewhere"} if kept else {})
    for done in range(1, 6):
        trial.progressed(done)
        trial.ended("signal 9", charged=True)
        if not kept and done >= 2:
            with pytest.raises(SaliscopeError, match="2 times"):
                trial.check()
            return
        trial.check()
    trial.ended("signal 9", charged=True)
    with pytest.raises(SaliscopeError, match=r"2 times.* what was found is kept, the same command goes on there"):
        trial.check()
