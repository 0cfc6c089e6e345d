"""Answers `jobs/…`: which jobs there are, and which of them run."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from saliscope.daemon.front.jobs.runner import COMMAND, Runner, Serve
from saliscope.daemon.front.jobs.store import Store
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import Job, JobRef, JobResults, Jobs, SubmitJob

log = logging.getLogger(__name__)

#: What may differ between two submissions of the same job.
_HOW: Final = ("job", "resume", "overwrite", "download")


class JobDesk:
    """The jobs of this daemon; those that ran when the last one ended go on with `start`."""

    def __init__(self, serve: Serve, most_running: int, command: Sequence[str] = COMMAND) -> None:
        self._serve, self._most_running, self._command = serve, most_running, command
        self._store = Store()
        self._runners: dict[str, Runner] = {}

    @property
    def num_running(self) -> int:
        """How many jobs have a process."""
        return len(self._runners)

    def start(self) -> None:
        """Go on with what ran when the last daemon ended."""
        for job in self._store.jobs.values():
            if job.state == "running":
                log.info("going on with job %s", job.job)
                self._run(job)

    async def stop(self) -> None:
        """End all processes; the jobs go on with the next daemon."""
        for runner in [*self._runners.values()]:
            await runner.stop()

    async def handle(self, method: str, fields: msgspec.Struct) -> Job | Jobs | JobResults:
        """The answer to one request; `bad_request` for a job that there is none of."""
        if isinstance(fields, SubmitJob):
            return await self._submit(fields)
        if not isinstance(fields, JobRef):
            return Jobs(sorted(self._store.jobs.values(), key=lambda job: -job.created))
        job = self._job(fields.job)
        match method:
            case "jobs/pause":
                await self._pause(job)
            case "jobs/resume":
                await self._resume(job)
            case "jobs/cancel":
                await self._cancel(job)
            case "jobs/results":
                return self._results(job)
        return job

    async def _submit(self, asked: SubmitJob) -> Job:
        """Begin a job, and wait until data, output and model were looked at; what is refused leaves nothing behind."""
        name = asked.job or os.urandom(4).hex()
        asked = msgspec.structs.replace(asked, job=name)
        if name in self._store.jobs:
            return self._store.jobs[name]
        if not os.path.isabs(asked.out):
            raise SaliscopeError("bad_request", f"out: {asked.out} is no absolute path; the daemon has its own folder")
        same = [job for job in self._store.jobs.values() if job.out == asked.out]
        if asked.resume and (found := self._same(asked, same)) is not None:
            if found.state != "done":
                await self._resume(found)
            return found
        busy = next((job for job in same if job.job in self._runners), None)
        if busy is not None:
            message = f"out: job {busy.job} is writing to {asked.out}; wait for it, or `saliscope jobs cancel` it"
            raise SaliscopeError("bad_request", message)
        self._check_room()
        engine = asked.engine or ""
        job = Job(name, "running", asked.data, asked.out, asked.model, asked.method, time.time(), engine=engine)
        try:
            self._store.add(job, asked)
        except OSError as error:
            message = f"the job cannot be kept in {self._store.folder} ({error.strerror}); make room, and ask again"
            raise SaliscopeError("unavailable", message) from error
        runner = self._run(job)
        refusal = await asyncio.shield(runner.checked)
        if refusal is not None:
            await runner.ended()
            self._store.forget(name)
            raise refusal
        return job

    def _same(self, asked: SubmitJob, jobs: list[Job]) -> Job | None:
        """The newest job that asked the same, and that did not end in vain."""
        for job in sorted(jobs, key=lambda job: -job.created):
            if job.state != "cancelled" and _question(self._store.asked(job.job)) == _question(asked):
                return None if job.state == "done" and not Path(job.out).exists() else job
        return None

    async def _pause(self, job: Job) -> None:
        if job.state == "running":
            job.state, job.reason = "paused", "as asked"
            await self._stop(job)
        elif job.state != "paused":
            raise SaliscopeError("bad_request", f"job {job.job} is {job.state}; only a running one can be paused")

    async def _resume(self, job: Job) -> None:
        if job.state == "running":
            return
        if job.state not in ("paused", "failed"):
            raise SaliscopeError("bad_request", f"job {job.job} is {job.state}; only one that waits can be resumed")
        if job.job in self._runners:
            # It is just being stopped.
            await self._runners[job.job].ended()
            self._runners.pop(job.job, None)
        self._check_room()
        job.state, job.reason = "running", ""
        self._store.keep(job)
        self._run(job)

    async def _cancel(self, job: Job) -> None:
        if job.state in ("done", "cancelled"):
            return
        job.state, job.reason = "cancelled", "as asked"
        await self._stop(job)
        others = (one for one in self._store.jobs.values() if one.out == job.out and one is not job)
        # What lies beside the output may be another's by now.
        if all(one.state in ("done", "cancelled") for one in others):
            await asyncio.to_thread(shutil.rmtree, f"{job.out}.parts", ignore_errors=True)

    async def _stop(self, job: Job) -> None:
        """End its process, if it has one, and keep its state."""
        runner = self._runners.get(job.job)
        if runner is not None:
            await runner.stop()
        job.stage, job.eta_s, job.rows_per_s = "", None, None
        self._store.keep(job)

    def _results(self, job: Job) -> JobResults:
        found = self._store.results(job.job) if job.state == "done" else None
        if found is None:
            raise SaliscopeError("bad_request", f"job {job.job} is {job.state}; it has results when it is done")
        return found

    def _run(self, job: Job) -> Runner:
        runner = Runner(job, self._store.home(job.job), self._serve, lambda: self._store.keep(job), self._command)
        self._runners[job.job] = runner
        asyncio.ensure_future(runner.ended()).add_done_callback(lambda _: self._ended(job, runner))
        return runner

    def _ended(self, job: Job, runner: Runner) -> None:
        if self._runners.get(job.job) is runner:
            del self._runners[job.job]

    def _check_room(self) -> None:
        if len(self._runners) >= self._most_running:
            raise SaliscopeError("busy", f"{len(self._runners)} jobs run; wait for one, or pause one, and ask again")

    def _job(self, name: str) -> Job:
        if name not in self._store.jobs:
            raise SaliscopeError("bad_request", f"there is no job {name!r}; `saliscope jobs list` shows them")
        return self._store.jobs[name]


def _question(asked: SubmitJob | None) -> dict[str, Any] | None:
    if asked is None:
        return None
    return {name: value for name, value in msgspec.to_builtins(asked).items() if name not in _HOW}
