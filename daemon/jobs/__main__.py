"""`python -m saliscope.daemon.jobs HOME --fd N`: the job in the folder HOME, for the front at the other end of N."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys
import traceback
from pathlib import Path

import msgspec

from saliscope.daemon.jobs.driver import Driver
from saliscope.daemon.jobs.ending import JobFailed, JobPaused
from saliscope.daemon.jobs.reports import Reporter
from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.errors import DisconnectedError, SaliscopeError
from saliscope.protocol.jobs import SubmitJob

log = logging.getLogger(__name__)

#: The daemon is gone, or is going: the next one goes on.
LEFT_ALONE = 3


async def run(home: Path, sock: socket.socket, reporter: Reporter) -> int:
    """The job, unless the front goes before it ends; the exit status."""
    asked = msgspec.json.decode((home / "asked.json").read_bytes(), type=SubmitJob)
    client = await AsyncClient.adopt(sock)
    try:
        await client.initialize(client="saliscope-job", notifications=False)
    except DisconnectedError:
        return LEFT_ALONE
    telling = asyncio.create_task(reporter.run())
    job = asyncio.create_task(Driver(asked, home, client, reporter).run())
    await client.closed(unless=job)
    telling.cancel()
    if not job.done():
        # Threads may be reading or writing; nothing of theirs counts until it is renamed.
        os._exit(LEFT_ALONE)
    error = _cause(job.exception())
    match error:
        case None:
            reporter.end("done")
        case JobPaused():
            reporter.end("paused", error.code, error.message)
        case SaliscopeError(code="unavailable" | "shutting_down" | "cancelled") if not isinstance(error, JobFailed):
            return LEFT_ALONE
        case SaliscopeError():
            reporter.end("failed", error.code, error.message)
        case _:
            # Frames only: the message may quote a text, and texts are never logged.
            log.error("the job failed: %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            return 1
    return 0


def _cause(error: BaseException | None) -> BaseException | None:
    """The first of the errors that ended tasks together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m saliscope.daemon.jobs", description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--fd", type=int, required=True)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # Reading and merging must not slow down the worker.
    os.nice(5)
    return asyncio.run(run(given.home, socket.socket(fileno=given.fd), Reporter(sys.stdout.fileno())))


if __name__ == "__main__":
    sys.exit(main())
