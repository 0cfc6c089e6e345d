"""Rows to results: many requests at once, each about a few rows, and whatever fails narrowed down to its row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Final

from saliscope.daemon.jobs.ending import JobFailed
from saliscope.daemon.jobs.rows import Row, failed, kind_of, question, result
from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import SubmitJob

#: Rows of one request, which the worker has in work together.
ROWS_A_REQUEST: Final = 8
#: Requests in flight for each worker: while one is on its way back it has others. And in all.
AT_ONCE: Final = 8
MOST_AT_ONCE: Final = 512
#: How often a row that ended its workers is asked about: some kills may have been chance.
ATTEMPTS: Final = 5
#: Beyond so many characters a row has a request of its own: answers of long texts are large.
LONG: Final = 20_000
_BUSY_S: Final = 0.05
#: Errors that every row would have.
_OF_THE_JOB: Final = frozenset({"unknown_model", "unknown_method", "loading_failed", "unauthorized"})
#: The daemon is ending, or has ended.
_OVER: Final = frozenset({"unavailable", "shutting_down", "cancelled", "protocol_mismatch"})


class Asking:
    """Asks about rows, so that all workers have some; `answered` is told of each batch: how many rows, and how many of
    them failed.
    """

    def __init__(
        self, client: AsyncClient, asked: SubmitJob, num_workers: int, answered: Callable[[int, int], None]
    ) -> None:
        self._client, self._asked, self._answered = client, asked, answered
        self._slots = asyncio.Semaphore(min(AT_ONCE * num_workers, MOST_AT_ONCE))

    async def outputs(self, rows: list[Row]) -> list[dict[str, Any]]:
        """The output of each row, in order; raises `JobFailed`, or what says that the daemon is gone."""
        found: dict[int, dict[str, Any]] = {row.number: failed(row, row.failure) for row in rows if row.failure}
        self._answered(len(found), len(found))
        async with asyncio.TaskGroup() as group:
            for batch in self._batches([row for row in rows if row.failure is None]):
                await self._slots.acquire()
                group.create_task(self._batch(batch, found))
        return [found[row.number] for row in rows]

    def _batches(self, rows: list[Row]) -> Iterator[list[Row]]:
        """Rows of one kind and of like length, a request each."""
        rows = sorted(rows, key=lambda row: (str(kind_of(row, self._asked)), _length(row), row.number))
        for _, same in groupby(rows, lambda row: (kind_of(row, self._asked), _length(row) > LONG and row.number)):
            together = list(same)
            for at in range(0, len(together), ROWS_A_REQUEST):
                yield together[at : at + ROWS_A_REQUEST]

    async def _batch(self, rows: list[Row], found: dict[int, dict[str, Any]]) -> None:
        try:
            answers = await self._ask(rows)
        finally:
            self._slots.release()
        found.update({answer["row"]: answer for answer in answers})
        self._answered(len(rows), sum(answer["code"] is not None for answer in answers))

    async def _ask(self, rows: list[Row]) -> list[dict[str, Any]]:
        attempt, wait_s = 1, _BUSY_S
        while True:
            try:
                answer = await self._client.call("explain", question(rows, self._asked))
            except SaliscopeError as error:
                if error.code in _OVER:
                    raise
                if error.code in _OF_THE_JOB:
                    raise JobFailed(error.code, error.message, error.data) from error
                if error.code == "busy":
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, 1.0)
                elif len(rows) > 1:
                    # One of them is at fault.
                    return [output for row in rows for output in await self._ask([row])]
                elif error.code != "internal" or attempt == ATTEMPTS:
                    return [failed(rows[0], error)]
                else:
                    attempt += 1
            else:
                many = answer.get("explanations", [answer])
                return [result(row, one) for row, one in zip(rows, many, strict=True)]


def _length(row: Row) -> int:
    return len(row.record.get("text", "")) + len(row.record.get("pair", ""))
