"""The job that explains a data set in the background, and what it has found so far."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import Job, JobResults
from saliscope.protocol.messages import BUNDLED
from saliscope.render.bars import bar
from saliscope.sources.outputs import Found, Output
from saliscope.tui.choices import Choices
from saliscope.tui.data.data_set import DataSet
from saliscope.tui.data.scored import Look, look_of_job
from saliscope.tui.data.verdict import verdict_of_job

if TYPE_CHECKING:
    from saliscope.protocol.aclient import AsyncClient

#: How often a running job is asked how it is, and a daemon that is lost, in seconds.
EVERY_S: Final = 0.5
AGAIN_S: Final = 2.0
#: Rows that are taken over together, so that the keys are heard in between.
_AT_ONCE: Final = 1000
BAR: Final = 20


class JobWatch:
    """Follows the job of one data set; `on_news` is called whenever more is known."""

    def __init__(self, data: DataSet, client: Callable[[], AsyncClient], on_news: Callable[[], None]) -> None:
        self._data, self._client, self._on_news = data, client, on_news
        self._path = os.path.abspath(data.path)
        self.job: Job | None = None
        self.results: JobResults | None = None
        self._output: Output | None = None
        #: The classes of the model, as far as they are known.
        self.classes: Collection[str] = ()

    @property
    def is_running(self) -> bool:
        """Whether there is something to wait for."""
        return self.job is not None and self.job.state == "running"

    async def find(self) -> bool:
        """Take up the newest job about this file as it is now; whether there is one."""
        for job in await self._client().list_jobs():
            if (
                job.data == self._path
                and job.state != "cancelled"
                and job.created * 1e9 >= self._data.file.stamp.modified_ns
            ):
                self._take(job)
                return True
        return False

    async def submit(self, out: Path, choices: Choices, **options: Any) -> None:
        """Begin a job with what is chosen now."""
        fields = self._data.fields
        job = await self._client().submit_job(
            self._path, str(out), model=choices.model, method=choices.method,
            target=choices.options().get("target"), granularity=choices.granularity, params=choices.params,
            text_field=fields.text, label_field=fields.label, pair_field=fields.pair, **options,
        )  # fmt: skip
        self._take(job)

    async def order(self, what: str) -> None:
        """`pause`, `resume` or `cancel` it."""
        if self.job is None:
            return
        client, id = self._client(), self.job.job
        verbs = {"pause": client.pause_job, "resume": client.resume_job, "cancel": client.cancel_job}
        self.job = await verbs[what](id)
        self._on_news()

    def fits(self, choices: Choices) -> bool:
        """Whether it asks the model that the table shows."""
        return self.job is not None and (self.job.model or BUNDLED[0]) == (choices.model or BUNDLED[0])

    async def follow(self, choices: Choices) -> None:
        """Take over what the job finds until it runs no more; of one that has ended, everything."""
        while self.job is not None:
            try:
                self.job = await self._client().job_status(self.job.job)
                if self.job.state == "done" and self.results is None:
                    self.results = await self._client().job_results(self.job.job)
            except SaliscopeError as error:
                if error.code not in ("unavailable", "shutting_down"):
                    raise
                await asyncio.sleep(AGAIN_S)
                continue
            if self.fits(choices):
                await self._take_over()
            self._on_news()
            if not self.is_running:
                return
            await asyncio.sleep(EVERY_S)

    async def _take_over(self) -> None:
        assert self._output is not None
        assert self.job is not None
        news, classes = self._output.news(is_done=self.job.state == "done"), self.classes

        def some() -> list[Found]:
            return list(islice(news, _AT_ONCE))

        while found := await asyncio.to_thread(some):
            for one in found:
                self._data.judged(one.row, verdict_of_job(one, classes), one.message or "")
            self._on_news()

    def look(self, row: int) -> Look | None:
        """The scores of a row that the job has explained; None where it has not. Reads the file."""
        if self._output is None or self.job is None:
            return None
        found = self._output.row(row)
        return None if found is None else look_of_job(found, self.job.model or BUNDLED[0])

    def drop(self) -> None:
        """Know of no job any more; it goes on."""
        if self._output is not None:
            self._output.close()
        self.job = self.results = self._output = None

    def again(self) -> None:
        """Have everything told once more."""
        if self.job is not None:
            self._take(self.job)

    def _take(self, job: Job) -> None:
        if self._output is not None:
            self._output.close()
        self.job, self.results, self._output = job, None, Output(Path(job.out))

    def line(self) -> Iterator[tuple[str, str]]:
        """How it is, as pieces with the class of their look."""
        job = self.job
        if job is None:
            return
        share = job.done / job.total if job.total else 0.0
        yield f"{job.state if job.state != 'running' else job.stage or 'running'} ", "bold"
        if job.state in ("running", "paused") and job.total:
            yield "▕", "quiet"
            yield bar(share, BAR).ljust(BAR), "bar"
            yield f"▏ {share:.0%}  ", "quiet"
        if job.total:
            yield f"{job.done:,} of {job.total:,} rows", ""
        if job.failed:
            yield f" · {job.failed:,} failed", "bad"
        if job.state == "running" and job.rows_per_s:
            yield f" · {job.rows_per_s:,.0f} rows/s", "quiet"
        if job.state == "running" and job.eta_s is not None:
            yield f" · {span(job.eta_s)} left", "quiet"
        if job.reason:
            yield f" · {job.reason}", "bad"
        elif job.state == "done":
            yield f" · {job.out}", "quiet"


def span(seconds: float) -> str:
    """A time as people say it: 9 s, 4 min, 2 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
