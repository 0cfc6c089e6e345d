"""A blocking connect for asyncio, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from saliscope.protocol.client import Client


async def dialled(dial: Callable[[], Client]) -> Client:
    """The client that `dial` connects; one that comes when nobody waits any more is closed.

    Not on a thread of the loop's pool: those are joined when the loop ends, and a daemon may take a minute to start.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[Client] = loop.create_future()

    def deliver(client: Client | None, error: BaseException | None) -> None:
        if client is not None and waiting.done():
            client.close()
        elif client is not None:
            waiting.set_result(client)
        elif error is not None and not waiting.done():
            waiting.set_exception(error)

    def run() -> None:
        client = error = None
        try:
            client = dial()
        except Exception as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(deliver, client, error)
        except RuntimeError:
            # The loop was closed meanwhile.
            if client is not None:
                client.close()

    threading.Thread(target=run, name="dial", daemon=True).start()
    return await waiting
