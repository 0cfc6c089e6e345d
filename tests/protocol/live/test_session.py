"""A session keeps its connection, and has patience with a daemon that does not."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from saliscope.protocol.live import LiveSession
from saliscope.protocol.live.choices import Choices


class Brief:
    """A connection that is lost as soon as it is there."""

    is_open = False

    async def closed(self) -> None:
        return

    async def close(self) -> None:
        return


class Lasting:
    """A connection on which a document is never answered."""

    is_open = True

    async def closed(self) -> None:
        await asyncio.Event().wait()

    async def open_document(self, *args: Any, **options: Any) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        return


def test_a_daemon_that_ends_as_soon_as_it_has_come_up_is_started_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times: list[float] = []

    async def connects(*args: Any, **options: Any) -> Any:
        times.append(asyncio.get_running_loop().time())
        return Brief()

    monkeypatch.setattr("saliscope.protocol.live.session.aconnect", connects)
    monkeypatch.setattr("saliscope.protocol.live.session._AGAIN_S", (0.01, 0.64))

    async def run() -> None:
        session = LiveSession()
        await session.start()
        while len(times) < 6:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await session.stop()

    asyncio.run(run())
    # The waits double; a busy machine can only make them longer.
    for number, (before, after) in enumerate(itertools.pairwise(times)):
        assert after - before >= 0.01 * 2**number


def test_a_session_that_was_stopped_is_idle_and_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connects(*args: Any, **options: Any) -> Any:
        return Lasting()

    monkeypatch.setattr("saliscope.protocol.live.session.aconnect", connects)

    async def run() -> None:
        session = LiveSession()
        for _ in range(2):
            assert session.state == "idle"
            await session.start()
            assert session.state == "connected"
            await session.stop()
        assert (session.state, session.client) == ("idle", None)

    asyncio.run(run())


def test_settings_that_cannot_be_followed_any_more_are_told_to_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[Any] = []

    async def connects(*args: Any, **options: Any) -> Any:
        return Lasting()

    def fails(self: Choices) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr("saliscope.protocol.live.session.aconnect", connects)

    async def run() -> None:
        told = asyncio.Event()

        def hear(loop: object, failure: dict[str, Any]) -> None:
            failures.append(failure["exception"])
            told.set()

        asyncio.get_running_loop().set_exception_handler(hear)
        session = LiveSession(look_s=0.01)
        await session.start()
        session.open("a.txt", "a")
        monkeypatch.setattr(Choices, "refresh", fails)
        await told.wait()
        await session.stop()

    asyncio.run(run())
    assert [type(one) for one in failures] == [ZeroDivisionError]
