"""A job from the data to the output; whatever was killed before, only the chunks that are missing are made."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from saliscope.daemon.jobs import survey
from saliscope.daemon.jobs.asking import ATTEMPTS, Asking
from saliscope.daemon.jobs.ending import JobFailed
from saliscope.daemon.jobs.ledger import DamagedChunk, Head, Ledger, ending_of, parts_of, read_head
from saliscope.daemon.jobs.reports import Reporter
from saliscope.daemon.jobs.rows import Row, row_of
from saliscope.daemon.jobs.summing import Sums
from saliscope.daemon.jobs.writing import check, writing
from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import JobResults, SubmitJob
from saliscope.protocol.messages import BUNDLED
from saliscope.sources import open_source

#: Chunks that are in work together for each worker, so that it is busy while one ends.
CHUNKS_AT_ONCE: Final = 3
FEWEST_ROWS: Final = 32
MOST_ROWS: Final = 1024
#: About so many chunks a job is cut into.
NUM_CHUNKS: Final = 1000


class Driver:
    """Runs the job `asked`; `home` is where its results are kept when the chunks have gone."""

    def __init__(self, asked: SubmitJob, home: Path, client: AsyncClient, reporter: Reporter) -> None:
        self._asked, self._home, self._client, self._reporter = asked, home, client, reporter
        self._out = Path(asked.out)
        self._parts = parts_of(self._out)

    async def run(self) -> None:
        """The whole job; raises `JobPaused`, `JobFailed`, `bad_request` for what cannot begin, or that the daemon is
        gone.
        """
        if (results := read_results(self._home)) is not None:
            # Killed between its last two steps.
            now = self._reporter.now
            now.done = now.total = results.rows
            now.failed = results.failed
            await asyncio.to_thread(shutil.rmtree, self._parts, ignore_errors=True)
            return
        check(self._out)
        reader = await asyncio.to_thread(open_source, self._asked.data, self._asked.split)
        await asyncio.to_thread(survey.look, reader, self._asked)
        info = await self._load()
        ledger = await asyncio.to_thread(self._opened)
        self._reporter.stage("counting")
        if ledger.head.total is None:
            ledger.head.total = await asyncio.to_thread(survey.count, reader, self._asked, ledger.folder)
            ledger.head.rows_a_chunk = max(FEWEST_ROWS, min(MOST_ROWS, ledger.head.total // NUM_CHUNKS))
            ledger.keep_head()
        self._reporter.now.total = ledger.head.total
        _check_model(ledger.head, info)
        ledger.keep_head()
        while True:
            await self._explain(ledger, reader.rows, info.get("replicas", 1))
            self._reporter.stage("merging")
            try:
                results = await asyncio.to_thread(self._merge, ledger)
                break
            except DamagedChunk:
                continue
        keep_results(self._home, results)
        await asyncio.to_thread(ledger.remove)

    def _opened(self) -> Ledger:
        """The chunks that are this job's, or the folder for them; `bad_request` if others would be lost."""
        digest = survey.digest_of(self._asked)
        head, job = read_head(self._parts), self._asked.job or ""
        if head is not None and head.job == job and head.digest != digest:
            raise JobFailed("bad_request", f"data: {self._asked.data} has changed since the job began; begin it anew")
        if head is None or head.job != job:
            if self._asked.resume and head is not None and head.digest != digest:
                raise SaliscopeError(
                    "bad_request", f"out: {self._parts} holds another job, or its data have changed; use --overwrite"
                )
            there = self._out if self._out.exists() else self._parts if head is not None else None
            if there is not None and not self._asked.overwrite and not (self._asked.resume and head is not None):
                raise SaliscopeError(
                    "bad_request",
                    f"out: {there} exists; use --resume to go on with a job that was interrupted, or --overwrite",
                )
            if head is not None and not self._asked.resume:
                shutil.rmtree(self._parts)
                head = None
        ledger = Ledger(self._parts, Head(job, digest) if head is None else msgspec.structs.replace(head, job=job))
        ledger.keep_head()
        return ledger

    async def _load(self) -> dict[str, Any]:
        """Have the model loaded; what is known of it then."""
        fields = {"model": self._asked.model or BUNDLED[0], "download": self._asked.download}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                info: dict[str, Any] = await self._client.call("models/load", fields)
                return info
            except SaliscopeError as error:
                if error.code in ("unavailable", "shutting_down", "cancelled"):
                    raise
                # Workers that end while they load it may have been ended by somebody.
                if error.code != "internal" or attempt == ATTEMPTS:
                    raise JobFailed(error.code, error.message, error.data) from error
        raise AssertionError("the last attempt returns or raises")

    async def _explain(self, ledger: Ledger, rows: Any, num_workers: int) -> None:
        """Make the chunks that are missing."""
        done, reporter = ledger.done(), self._reporter
        reporter.now.done = sum(len(ledger.num_rows(number)) for number in done)
        reporter.now.failed = await asyncio.to_thread(_num_failed, ledger, done)
        reporter.stage("explaining")
        asking = Asking(self._client, self._asked, num_workers, reporter.answered)
        chunks = self._chunks(ledger, done, rows)
        slots = asyncio.Semaphore(CHUNKS_AT_ONCE * num_workers)

        async def make(number: int, raw: list[Row]) -> None:
            try:
                outputs = await asking.outputs(raw)
                if not done and number == 0:
                    _refuse_if_all_failed(outputs)
                await asyncio.to_thread(ledger.add, number, outputs)
            finally:
                slots.release()

        async with asyncio.TaskGroup() as group:
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                await slots.acquire()
                group.create_task(make(*chunk))

    def _chunks(self, ledger: Ledger, done: set[int], rows: Any) -> Iterator[tuple[int, list[Row]]]:
        """The missing chunks with their rows, read one after another."""
        missing = [number for number in range(ledger.num_chunks) if number not in done]
        if not missing:
            return
        at = ledger.num_rows(missing[0]).start
        source = rows(at)
        for number in missing:
            wanted = ledger.num_rows(number)
            for _ in islice(source, wanted.start - at):
                pass
            raw = list(islice(source, len(wanted)))
            at = wanted.stop
            if len(raw) < len(wanted):
                raise JobFailed("bad_request", f"data: {self._asked.data} has fewer rows than it had; begin anew")
            yield number, [row_of(n, one, self._asked) for n, one in zip(wanted, raw, strict=True)]

    def _merge(self, ledger: Ledger) -> JobResults:
        """The chunks as one file, and what they say together."""
        sums = Sums()
        with writing(self._out, ledger.folder / "merged.draft") as output:
            for number in range(ledger.num_chunks):
                for line, row in ledger.rows(number):
                    output.add(line, row)
                    sums.add(row)
        return sums.results(self._asked.job or "", self._out, ledger.head.model, ledger.head.fingerprint)


def _check_model(head: Head, info: dict[str, Any]) -> None:
    """Note the model; chunks of another one are not gone on with."""
    found = str(info.get("fingerprint", ""))
    if head.fingerprint and found != head.fingerprint:
        raise JobFailed("bad_request", f"the model {head.model} has changed since the job began; begin it anew")
    head.fingerprint, head.model = found, str(info.get("name", ""))


def read_results(home: Path) -> JobResults | None:
    """What a job has kept when it was done."""
    try:
        return msgspec.json.decode((home / "results.json").read_bytes(), type=JobResults)
    except (OSError, msgspec.DecodeError):
        return None


def keep_results(home: Path, results: JobResults) -> None:
    """Keep what a job has found; from then on it is done."""
    draft = home / "results.draft"
    try:
        draft.write_bytes(msgspec.json.encode(results))
        draft.replace(home / "results.json")
    except OSError as error:
        raise ending_of(error, home) from error


def _num_failed(ledger: Ledger, numbers: set[int]) -> int:
    """How many rows of these chunks failed; damaged ones are found when they are merged."""
    return sum(b'"code":null' not in line for number in numbers for line in ledger.lines(number))


def _refuse_if_all_failed(outputs: list[dict[str, Any]]) -> None:
    """Where the first rows all fail for the same reason, so will the others."""
    reasons = {(row["code"], row["message"]) for row in outputs}
    code, message = next(iter(reasons))
    if len(reasons) == 1 and code is not None:
        raise JobFailed(code, f"the first {len(outputs)} rows all failed: {message}")
