"""A blocking connect for asyncio: nobody has to wait for one that nobody wants any more."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from saliscope.protocol.dialling import dialled


class Dialled:
    """A client of which only the end is of interest."""

    def __init__(self) -> None:
        self.is_closed = threading.Event()

    def close(self) -> None:
        self.is_closed.set()


def test_what_was_connected_or_went_wrong_is_handed_on() -> None:
    client: Any = Dialled()
    assert asyncio.run(dialled(lambda: client)) is client

    def fails() -> Any:
        raise OSError("no daemon")

    with pytest.raises(OSError, match="no daemon"):
        asyncio.run(dialled(fails))


def test_a_loop_ends_while_it_is_connected_and_the_client_that_comes_later_is_closed() -> None:
    client, goes_on = Dialled(), threading.Event()

    def dial() -> Any:
        goes_on.wait()
        return client

    async def run() -> None:
        waiting = asyncio.ensure_future(dialled(dial))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})

    asyncio.run(run())
    assert not client.is_closed.is_set()
    goes_on.set()
    assert client.is_closed.wait(30)


def test_a_client_that_comes_when_its_waiter_was_cancelled_is_closed() -> None:
    client, goes_on = Dialled(), threading.Event()

    def dial() -> Any:
        goes_on.wait()
        return client

    async def run() -> None:
        waiting = asyncio.ensure_future(dialled(dial))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        goes_on.set()
        while not client.is_closed.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    asyncio.run(run())
