"""Several workers as one engine: the one with least to do is asked, and none that dies takes a request along."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from saliscope.daemon.engines.replicas import Replicas
from saliscope.daemon.engines.zygote import ZygoteSpawner
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.origin import Origin

ZYGOTE = (sys.executable, str(Path(__file__).with_name("fake_zygote.py")))
Use = Callable[[Replicas], Coroutine[Any, Any, None]]


def with_three(use: Use) -> None:
    """Three fake workers that have the model."""

    async def run() -> None:
        engine = Replicas(ZygoteSpawner((*ZYGOTE, "3", "--fd")))
        try:
            assert (await engine.call("models/load", {"model": "demo-encoder"}))["replicas"] == 3
            await told(engine, lambda facts: [fact["counters"]["loads"] > 0 for fact in facts] == [True] * 3)
            await use(engine)
        finally:
            await engine.close()

    asyncio.run(run())


async def told(engine: Replicas, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """What the workers say of themselves, once it is enough."""
    while True:
        facts = [fact for fact in await engine.facts() if "counters" in fact]
        if enough(facts):
            return facts
        await asyncio.sleep(0.01)


async def waiting(engine: Replicas, num: int) -> dict[int, int]:
    """The requests that hang in each worker, by its pid, once there are so many."""
    facts = await told(engine, lambda facts: sum(fact["queue"]["waiting"] for fact in facts) == num)
    return {fact["pid"]: fact["queue"]["waiting"] for fact in facts}


def explain(engine: Replicas, text: str, client: int = 0, **more: Any) -> asyncio.Task[Any]:
    params = {"text": text, "stream": False, **more}
    return asyncio.ensure_future(engine.call("explain", params, None, Origin(client=client)))


def test_no_worker_is_started_before_one_is_needed() -> None:
    async def run() -> None:
        engine = Replicas(ZygoteSpawner((*ZYGOTE, "3", "--fd")))
        assert await engine.facts() == []
        assert engine.catalogue() is None
        await engine.close()

    asyncio.run(run())


def test_each_request_goes_to_the_worker_with_the_fewest_texts() -> None:
    async def use(engine: Replicas) -> None:
        tasks = [explain(engine, f"hang {n}", priority="bulk") for n in range(6)]
        assert sorted((await waiting(engine, 6)).values()) == [2, 2, 2]
        for task in tasks:
            task.cancel()
        await waiting(engine, 0)
        assert sum(fact["counters"]["cancelled"] for fact in await engine.facts()) == 6

    with_three(use)


def test_interactive_requests_do_not_count_what_they_overtake() -> None:
    async def use(engine: Replicas) -> None:
        bulk = [explain(engine, "hang", priority="bulk") for _ in range(4)]
        urgent = [explain(engine, "hang", priority="interactive") for _ in range(3)]
        assert sorted((await waiting(engine, 7)).values()) == [2, 2, 3]
        for task in (*bulk, *urgent):
            task.cancel()

    with_three(use)


def test_versions_of_one_text_go_to_the_same_worker() -> None:
    async def use(engine: Replicas) -> None:
        tasks = [explain(engine, "hang", client=client, supersede="a") for client in (1, 2, 1, 2, 1)]
        assert sorted((await waiting(engine, 5)).values()) == [0, 2, 3]
        for task in tasks:
            task.cancel()

    with_three(use)


def test_requests_of_a_worker_that_is_killed_go_to_the_others(tmp_path: Path) -> None:
    async def use(engine: Replicas) -> None:
        gate = tmp_path / "gate"
        tasks = [explain(engine, f"until {gate}") for _ in range(3)]
        victim = next(iter(await waiting(engine, 3)))
        gate.touch()
        os.kill(victim, signal.SIGKILL)
        moved, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result()["estimate"] for task in moved] == ["final"]
        for task in tasks:
            task.cancel()
        # It is replaced, and has the model again.
        await told(engine, lambda facts: len({fact["pid"] for fact in facts} - {victim}) == 3)

    with_three(use)


def test_a_request_that_kills_two_workers_fails_and_takes_nobody_along() -> None:
    async def use(engine: Replicas) -> None:
        beside = [explain(engine, "hang") for _ in range(3)]
        await waiting(engine, 3)
        with pytest.raises(SaliscopeError, match="2 times, the last time alone") as caught:
            await explain(engine, "crash")
        assert caught.value.code == "internal"
        # What was beside it runs again elsewhere, and waits there.
        await waiting(engine, 3)
        assert not any(task.done() for task in beside)
        for task in beside:
            task.cancel()

    with_three(use)


def test_a_model_is_unloaded_everywhere() -> None:
    async def use(engine: Replicas) -> None:
        assert await engine.call("models/unload", {"model": "fake"}) == {"unloaded": True}
        assert await engine.call("cache/clear", {}) == {"prefixes": 21}

    with_three(use)


def test_a_model_that_is_only_asked_about_is_loaded_on_the_other_workers_too() -> None:
    async def run() -> None:
        engine = Replicas(ZygoteSpawner((*ZYGOTE, "3", "--fd")))
        try:
            assert (await explain(engine, "a"))["estimate"] == "final"
            await told(engine, lambda facts: sorted(fact["counters"]["loads"] for fact in facts) == [0, 1, 1])
        finally:
            await engine.close()

    asyncio.run(run())


def test_what_the_driver_refuses_is_the_answer(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    said = json.dumps({"refused": "engine: there is no cluster"}) + "\n"
    script.write_text(f"import socket, sys\nsocket.socket(fileno=int(sys.argv[1])).sendall({said.encode()!r})\n")

    async def run() -> None:
        engine = Replicas(ZygoteSpawner((sys.executable, str(script)), forks=False))
        for _ in range(2):
            with pytest.raises(SaliscopeError, match="there is no cluster") as caught:
                await engine.call("status", {})
            assert caught.value.code == "bad_request"
        await engine.close()

    asyncio.run(run())
