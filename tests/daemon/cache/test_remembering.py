"""The engine in front of the engine: the same question is computed once, another one is not taken for it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from saliscope.daemon.engines import NOBODY
from saliscope.daemon.front.cache import remembering
from saliscope.daemon.front.cache.remembering import Remembering
from saliscope.daemon.front.cache.results import Results
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification
from saliscope.protocol.listening import OnNotification
from saliscope.protocol.origin import Origin
from saliscope.protocol.results import MethodInfo

Test = Callable[[Remembering, "Model"], Awaitable[None]]


class Model:
    """An engine with one model; `texts` is what it was asked to compute."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.loads = 0
        self.loaded_by: list[str] = []
        self.fingerprint, self.estimate = "one", "final"

    async def call(
        self,
        method: str,
        params: dict[str, Any],
        on_notification: OnNotification | None = None,
        origin: Origin = NOBODY,
    ) -> Any:
        if method == "models/load":
            self.loads += 1
            self.loaded_by.append(origin.engine)
            return {"name": params["model"], "fingerprint": self.fingerprint, "device": "cpu"}
        if method == "models/unload":
            return {"unloaded": True}
        many = isinstance(params["text"], list)
        texts = params["text"] if many else [params["text"]]
        if "" in texts:
            number = f"[{texts.index('')}]" if len(texts) > 1 else ""
            raise SaliscopeError("bad_request", f"text{number}: there is nothing to explain")
        self.texts += texts
        if on_notification is not None:
            on_notification(Notification("explain/partial", {"index": len(texts) - 1}))
        found = [
            {"text": text, "n": len(self.texts), "estimate": self.estimate, "fingerprint": self.fingerprint}
            for text in texts
        ]
        return {"explanations": found, "warnings": []} if many else found[0]

    async def facts(self) -> list[dict[str, Any]]:
        return []

    def catalogue(self) -> list[MethodInfo] | None:
        return None

    async def close(self) -> None:
        return None


@asynccontextmanager
async def opened(path: Path, model: Model, most: int = 1 << 30) -> AsyncIterator[Remembering]:
    engine = Remembering(model, Results(path, most))
    await engine.call("models/load", {"model": "demo-encoder"})
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.sqlite"


@pytest.fixture
def run(path: Path) -> Callable[[Test], Model]:
    def run(test: Test) -> Model:
        model = Model()

        async def main() -> None:
            async with opened(path, model) as engine:
                await test(engine, model)

        asyncio.run(main())
        return model

    return run


def test_the_same_question_is_computed_once(run: Callable[[Test], Model]) -> None:
    async def test(engine: Remembering, model: Model) -> None:
        first = await engine.call("explain", {"text": "a film"})
        second = await engine.call("explain", {"text": "a film", "priority": "bulk", "stream": True, "max_ms": 9})
        assert second == {**first, "cached": True}
        told = await engine.results.told()
        assert (told["hits"], told["misses"]) == (1, 1)

    assert run(test).texts == ["a film"]


@pytest.mark.parametrize(
    "other",
    [
        {"text": "a film "}, {"method": "occlusion"}, {"params": {"a": 1}}, {"target": 1}, {"target": "1"}, {"seed": 1},
        {"scale": "prob"}, {"granularity": "word"}, {"pair": "b"}, {"windows": "stitch"}, {"deterministic": True},
    ],
)  # fmt: skip
def test_whatever_decides_the_answer_is_in_the_key(run: Callable[[Test], Model], other: dict[str, Any]) -> None:
    async def test(engine: Remembering, model: Model) -> None:
        await engine.call("explain", {"text": "a film"})
        assert "cached" not in await engine.call("explain", {"text": "a film", **other})

    assert len(run(test).texts) == 2


def test_of_many_texts_only_the_new_ones_are_computed(run: Callable[[Test], Model]) -> None:
    async def test(engine: Remembering, model: Model) -> None:
        await engine.call("explain", {"text": "b"})
        heard: list[Any] = []
        answer = await engine.call("explain", {"text": ["a", "b", "c"], "pair": None}, heard.append)
        assert [one["text"] for one in answer["explanations"]] == ["a", "b", "c"]
        assert [one.get("cached", False) for one in answer["explanations"]] == [False, True, False]
        assert [one.params["index"] for one in heard] == [2]
        again = await engine.call("explain", {"text": ["c", "a"]})
        assert [one["text"] for one in again["explanations"]] == ["c", "a"]

    assert run(test).texts == ["b", "a", "c"]


@pytest.mark.parametrize(("texts", "number"), [(["b", "", "c"], 1), (["b", "a", ""], 2), (["b", "b", ""], 2)])
def test_a_refused_text_has_its_number_among_all_that_were_asked_about(
    run: Callable[[Test], Model], texts: list[str], number: int
) -> None:
    async def test(engine: Remembering, model: Model) -> None:
        await engine.call("explain", {"text": "b"})
        with pytest.raises(SaliscopeError, match=rf"^bad_request: text\[{number}\]: there is nothing to explain"):
            await engine.call("explain", {"text": texts})

    run(test)


def test_the_model_is_asked_of_the_engine_that_computes(
    run: Callable[[Test], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "TRUSTED_S", 0.0)

    async def test(engine: Remembering, model: Model) -> None:
        there = Origin(engine="ray")
        await engine.call("models/load", {"model": "demo-encoder"}, None, there)
        await engine.call("explain", {"text": "a film"}, None, there)
        assert (await engine.call("explain", {"text": "a film"}, None, there))["cached"]

    model = run(test)
    assert model.texts == ["a film"]
    # The first is that of every test here.
    assert model.loaded_by == ["", "ray", "ray"]


def test_an_estimate_is_not_kept(run: Callable[[Test], Model]) -> None:
    async def test(engine: Remembering, model: Model) -> None:
        model.estimate = "partial"
        await engine.call("explain", {"text": "a film"})
        model.estimate = "final"
        assert "cached" not in await engine.call("explain", {"text": "a film"})

    assert run(test).texts == ["a film"] * 2


def test_a_head_that_another_model_lends_is_not_in_the_key(run: Callable[[Test], Model]) -> None:
    async def test(engine: Remembering, model: Model) -> None:
        for _ in range(2):
            await engine.call("explain", {"text": "a film", "params": {"lm_head_from": "other"}})

    assert run(test).texts == ["a film"] * 2


def test_another_model_behind_the_name_is_noticed(
    run: Callable[[Test], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "TRUSTED_S", 0.0)

    async def test(engine: Remembering, model: Model) -> None:
        await engine.call("explain", {"text": "a film"})
        model.fingerprint = "two"
        answer = await engine.call("explain", {"text": "a film"})
        assert (answer["fingerprint"], "cached" in answer) == ("two", False)
        assert (await engine.call("explain", {"text": "a film"}))["cached"]

    assert run(test).texts == ["a film"] * 2


def test_what_is_loaded_otherwise_is_another_model(run: Callable[[Test], Model]) -> None:
    async def test(engine: Remembering, model: Model) -> None:
        await engine.call("explain", {"text": "a film"})
        model.fingerprint = "two"
        await engine.call("models/load", {"model": "demo-encoder", "dtype": "bfloat16"})
        assert "cached" not in await engine.call("explain", {"text": "a film"})
        model.fingerprint = "one"
        await engine.call("models/unload", {"model": "demo-encoder"})
        await engine.call("models/load", {"model": "demo-encoder"})
        assert (await engine.call("explain", {"text": "a film"}))["cached"]

    assert run(test).texts == ["a film"] * 2


def test_results_are_there_for_the_next_daemon_and_damaged_ones_are_dropped(path: Path) -> None:
    first, second = Model(), Model()

    async def ask(model: Model) -> dict[str, int]:
        async with opened(path, model) as engine:
            for text in ("a", "b"):
                await engine.call("explain", {"text": text})
            return await engine.results.told()

    asyncio.run(ask(first))
    with sqlite3.connect(path) as db:
        [(key, value)] = db.execute("SELECT key, value FROM results ORDER BY key LIMIT 1").fetchall()
        middle = len(value) // 2
        flipped = value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
        db.execute("UPDATE results SET value = ? WHERE key = ?", (flipped, key))
    db.close()
    told = asyncio.run(ask(second))
    assert (told["damaged"], told["hits"], told["misses"]) == (1, 1, 1)
    assert len(second.texts) == 1


def test_memory_is_bounded(path: Path) -> None:
    async def main() -> None:
        results = Results(path, 1 << 30, in_memory=2000)
        for n in range(100):
            results.put(n.to_bytes(24, "big"), {"text": f"film {n}" * 10})
        assert 0 < (await results.told())["memory"] <= 2000
        await results.close()

    asyncio.run(main())


def test_a_cleared_cache_knows_nothing(run: Callable[[Test], Model]) -> None:
    async def test(engine: Remembering, model: Model) -> None:
        await engine.call("explain", {"text": "a film"})
        memory, disk = await engine.results.clear()
        assert memory > 0
        assert disk > 0
        assert "cached" not in await engine.call("explain", {"text": "a film"})

    run(test)


def test_a_disk_that_cannot_be_written_keeps_results_in_memory(tmp_path: Path) -> None:
    async def main() -> None:
        model = Model()
        async with opened(tmp_path / "none" / "results.sqlite", model) as engine:
            await engine.call("explain", {"text": "a film"})
            assert (await engine.call("explain", {"text": "a film"}))["cached"]

    asyncio.run(main())
