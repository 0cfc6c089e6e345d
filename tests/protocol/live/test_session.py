"""A session keeps its connection, and has patience with a daemon that does not."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from saliscope.protocol.live import LiveSession


class Brief:
    """A connection that is lost as soon as it is there."""

    is_open = False

    async def closed(self) -> None:
        return

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
