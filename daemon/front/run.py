"""One run of the daemon, from the lock to the exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from saliscope.daemon.engines import Engine
from saliscope.daemon.front.server import AlreadyRunningError, listen, serve, take_life_lock
from saliscope.daemon.front.session import SessionLimits
from saliscope.protocol.errors import SaliscopeError


def run(engine: Engine, ready_fd: int | None = None, limits: SessionLimits | None = None) -> int:
    """Serve with this engine until told to end; a line goes to `ready_fd` when clients can connect."""
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=form)

    def tell_ready() -> None:
        if ready_fd is not None:
            os.write(ready_fd, b"ready\n")
            os.close(ready_fd)

    try:
        lock = take_life_lock()
    except AlreadyRunningError:
        logging.getLogger(__name__).info("another daemon is running")
        tell_ready()
        return 1
    except SaliscopeError as error:
        print(f"saliscope: {error.message}", file=sys.stderr)
        return error.exit_status
    with lock, listen() as sock:
        asyncio.run(serve(sock, engine, tell_ready, limits or SessionLimits()))
    return 0
