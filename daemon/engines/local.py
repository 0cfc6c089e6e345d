"""The engine of one machine: a worker process, started when first needed and replaced when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from msgspec.structs import replace

from saliscope.daemon.engines import NOBODY
from saliscope.daemon.engines.trial import Again, Trial, stage, until_answered
from saliscope.daemon.engines.worker import End, Spawner, Worker, start_worker
from saliscope.protocol.errors import DisconnectedError, SaliscopeError
from saliscope.protocol.listening import OnNotification
from saliscope.protocol.origin import Origin
from saliscope.protocol.results import MethodInfo

log = logging.getLogger(__name__)

#: How long `status` waits for a worker before it tells what was known.
FACTS_S: Final = 0.05
#: The first restart comes at once; the second waits this long, each further one twice as long as the one before.
BACK_OFF_S: Final = 0.1
MAX_BACK_OFF_S: Final = 10.0
#: How long those who are charged with a crash let the others go first: an evaluation may take hours.
HEAD_START_S: Final = 2.0


class LocalEngine:
    """One worker at a time from `spawner`; concurrent requests share it and its start."""

    def __init__(self, spawner: Spawner) -> None:
        self._spawner = spawner
        self._start: asyncio.Task[Worker] | None = None
        self._burial: asyncio.Task[End] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._reload: asyncio.Task[None] | None = None
        self._facts: dict[str, Any] = {}
        self._num_starts = self._num_crashes_in_a_row = 0
        self._alone = asyncio.Lock()
        # A crash while one of these is loaded again is not the fault of those who wait for it.
        self._proven: set[str | None] = {None}

    async def call(
        self,
        method: str,
        params: dict[str, Any],
        on_notification: OnNotification | None = None,
        origin: Origin = NOBODY,
    ) -> Any:
        """See `Engine`; a request whose worker dies runs again, alone if it was being computed then.

        In its second such crash it fails as `internal` with the reason; those beside it are not charged.
        """

        async def attempt(trial: Trial, listen: OnNotification) -> Any:
            return await self.attempt(trial, params, listen, origin)

        return await until_answered(method, params, on_notification, attempt)

    async def attempt(self, trial: Trial, params: dict[str, Any], listen: OnNotification, origin: Origin) -> Any:
        """One run of a request here: its answer, or `Again` if its worker dies or cannot be started."""
        async with self._turn(trial):
            worker = await self._worker(trial, listen)
            fields = replace(origin, alone=origin.alone or trial.is_charged).added_to(params)
            return await self._run(worker, trial, fields, listen)

    def has(self, model: str | None) -> bool:
        """Whether a living worker has answered for this model, so that nobody waits until it is loaded."""
        worker = self._living()
        return worker is not None and (model is None or model in worker.models)

    async def facts(self) -> list[dict[str, Any]]:
        """See `Engine`; one that starts or has ended is listed with this state only."""
        if self._start is None:
            return []
        if not self._start.done():
            return [{"state": "starting"}]
        worker = self._living()
        if worker is None:
            return [{"state": "ended"}]
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._ask(worker))
        # The question goes on after the limit: the next `status` knows more.
        await asyncio.wait({self._probe}, timeout=FACTS_S)
        known = {"pid": worker.ready.pid, "device": worker.ready.device}
        latest = self._facts if self._facts.get("pid") == worker.ready.pid else {}
        return [{"state": "ready", "restarts": self._num_starts - 1, **known, **latest}]

    def catalogue(self) -> list[MethodInfo] | None:
        """See `Engine`."""
        worker = self._living()
        return worker.ready.methods if worker is not None else None

    async def close(self) -> None:
        """See `Engine`."""
        await self.retire()
        await self._spawner.close()

    async def retire(self) -> None:
        """End the worker; where workers come from stays."""
        await _cancel(self._reload)
        await _cancel(self._start)
        await _cancel(self._burial)
        worker = self._living()
        if worker is not None:
            await worker.client.close()

    @contextlib.asynccontextmanager
    async def _turn(self, trial: Trial) -> AsyncIterator[None]:
        """The charged run one at a time, after those that died with them through no fault of their own."""
        if not trial.is_charged:
            yield
            return
        waits = [asyncio.ensure_future(other.over.wait()) for other in trial.first]
        if waits:
            _, late = await asyncio.wait(waits, timeout=HEAD_START_S)
            for wait in late:
                wait.cancel()
        async with self._alone:
            yield

    async def _run(self, worker: Worker, trial: Trial, params: dict[str, Any], listen: OnNotification) -> Any:
        id = worker.client.new_id()
        worker.trials[id] = trial
        try:
            answer = await worker.client.call(trial.method, params, listen, id=id)
        except DisconnectedError:
            # It is judged before it leaves.
            await asyncio.shield(worker.burial)
            raise Again from None
        except SaliscopeError:
            self._num_crashes_in_a_row = 0
            raise
        finally:
            del worker.trials[id]
        self._num_crashes_in_a_row = 0
        self._proven.add(trial.model)
        if trial.model is not None:
            worker.has_answered(trial.model)
        return answer

    def _living(self) -> Worker | None:
        start = self._start
        if start is None or not start.done() or start.cancelled() or start.exception() is not None:
            return None
        return start.result() if start.result().is_living else None

    async def _worker(self, trial: Trial, listen: OnNotification | None) -> Worker:
        if self._start is None or (self._start.done() and self._living() is None):
            self._start = asyncio.create_task(self._start_worker())
        # "Running again" says as much, and would be replaced by this in the queue of one that reads slowly.
        if not self._start.done() and listen is not None and not trial.num_runs:
            listen(stage("starting the worker"))
        try:
            # Shielded: whoever asked first may cancel, the others still want the worker.
            return await asyncio.shield(self._start)
        except SaliscopeError as error:
            trial.not_started(error)
            raise Again from error

    async def _start_worker(self) -> Worker:
        if self._burial is not None:
            # How the last one ended decides how long we wait.
            await asyncio.wait({self._burial})
        if self._num_crashes_in_a_row > 1:
            await asyncio.sleep(min(BACK_OFF_S * 2 ** (self._num_crashes_in_a_row - 2), MAX_BACK_OFF_S))
        self._num_starts += 1
        try:
            worker = await start_worker(self._spawner)
        except SaliscopeError:
            self._num_crashes_in_a_row += 1
            raise
        self._burial = worker.burial = asyncio.create_task(self._bury(worker))
        return worker

    async def _bury(self, worker: Worker) -> End:
        """When the worker has ended: judge the requests that were with it."""
        end = await worker.ended()
        self._num_crashes_in_a_row += 1
        innocent: list[Trial] = []
        for id, trial in worker.trials.items():
            is_charged = id in end.computing or trial.model not in self._proven
            trial.ended(end.how, charged=is_charged)
            trial.first = innocent
            if not is_charged:
                innocent.append(trial)
        if self._num_crashes_in_a_row == 1 and worker.models:
            self._reload = asyncio.create_task(self._load(worker.models[-1]))
        return end

    async def _load(self, model: str) -> None:
        """Have the model that was used last in a new worker before somebody asks."""
        try:
            params = {"model": model, "download": False}
            worker = await self._worker(Trial("models/load", params), None)
            # Not by `call`: nobody has asked, so its answer does not end the crashes in a row.
            await worker.client.call("models/load", params)
            worker.has_answered(model)
        except SaliscopeError as error:
            log.warning("a model was not loaded again: %s", error.code)
        except Again:
            # Whoever asks next starts one.
            log.warning("a model was not loaded again: no worker could be started")

    async def _ask(self, worker: Worker) -> None:
        try:
            self._facts = await worker.client.call("status")
        except SaliscopeError as error:
            log.warning("worker %d did not tell its status: %s", worker.ready.pid, error.code)


async def _cancel(task: asyncio.Task[Any] | None) -> None:
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task})
