"""The process of one job, seen from the front: started, heard, started again when it dies, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from saliscope.daemon.front.jobs.pace import Pace
from saliscope.protocol.errors import ERRORS, SaliscopeError
from saliscope.protocol.jobs import Job

log = logging.getLogger(__name__)

#: The process, by its command line; the folder of the job and its end of the socket follow.
COMMAND: Final = (sys.executable, "-m", "saliscope.daemon.jobs")
#: A process that dies so often in a row, without a row done in between, has failed.
MOST_DEATHS: Final = 10
_BACK_OFF_S: Final = 0.05
_MOST_BACK_OFF_S: Final = 5.0

#: Serves the process of a job at the other end of a socket, by the engine of this name (none: the daemon's own).
Serve = Callable[[socket.socket, str], Awaitable[None]]


class Told(Struct):
    """A line of the process (`daemon/jobs/reports.py`)."""

    stage: str
    done: int = 0
    failed: int = 0
    total: int | None = None
    end: str = ""
    code: str = ""
    reason: str = ""


class Runner:
    """Runs `job` (changed in place, `keep` writes it down) until it has ended; `serve` answers the process's requests.

    `checked` is done when data, model and output were looked at, with the refusal if there is one.
    """

    def __init__(
        self, job: Job, home: Path, serve: Serve, keep: Callable[[], None], command: Sequence[str] = COMMAND
    ) -> None:
        self._job, self._home, self._serve, self._keep = job, home, serve, keep
        self._command = command
        self._pace = Pace()
        self.checked: asyncio.Future[SaliscopeError | None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the process; what it has kept stays."""
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self.checked.done():
            self.checked.set_result(None)

    async def ended(self) -> None:
        """Wait until the job is not running any more."""
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        job, num_deaths = self._job, 0
        while True:
            before, self._pace = job.done, Pace()
            try:
                end, how = await self._once()
            except (OSError, msgspec.DecodeError) as error:
                end, how = None, f"{type(error).__name__}: {error}"
            if end is not None:
                self._end(end)
                return
            num_deaths = 1 if job.done > before else num_deaths + 1
            if num_deaths >= MOST_DEATHS:
                self._end(Told(job.stage, end="failed", code="internal", reason=(
                    f"the process of the job ended {num_deaths} times in a row, the last time by {how}; "
                    "look at `saliscope daemon logs`, then resume the job")))  # fmt: skip
                return
            job.restarts += 1
            log.warning("the process of job %s ended (%s), starting it again", job.job, how)
            await asyncio.sleep(min(_BACK_OFF_S * 2 ** (num_deaths - 1), _MOST_BACK_OFF_S))

    async def _once(self) -> tuple[Told | None, str]:
        """One life of the process: its last report, if it has made one, and how it ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *self._command, str(self._home), "--fd", str(theirs.fileno()), stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, pass_fds=(theirs.fileno(),), start_new_session=True,
            )  # fmt: skip
        serving = asyncio.ensure_future(self._serve(ours, self._job.engine))
        end: Told | None = None
        try:
            assert process.stdout is not None
            async for line in process.stdout:
                told = msgspec.json.decode(line, type=Told)
                self._hear(told)
                end = told if told.end else None
            status = await process.wait()
            return end, f"signal {-status}" if status < 0 else f"exit status {status}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
            # Its session ends with its socket.
            await asyncio.wait({serving})

    def _hear(self, told: Told) -> None:
        job = self._job
        is_new = (job.stage, job.total) != (told.stage, told.total)
        job.stage, job.done, job.failed = told.stage, told.done, told.failed
        job.total = told.total if told.total is not None else job.total
        if told.stage == "explaining":
            self._pace.add(told.done)
        job.rows_per_s = self._pace.rows_per_s()
        left = None if job.total is None else job.total - job.done
        job.eta_s = left / job.rows_per_s if left is not None and job.rows_per_s else None
        if is_new:
            self._keep()
        if told.stage != "checking" and not self.checked.done():
            self.checked.set_result(None)

    def _end(self, end: Told) -> None:
        job = self._job
        if end.end == "failed" and not self.checked.done():
            code = end.code if end.code in ERRORS else "internal"
            self.checked.set_result(SaliscopeError(code, end.reason))
        elif not self.checked.done():
            self.checked.set_result(None)
        job.state = "done" if end.end == "done" else "paused" if end.end == "paused" else "failed"
        job.reason, job.stage, job.eta_s, job.rows_per_s = end.reason, "", None, None
        self._keep()
        log.info("job %s: %s", job.job, job.state)
