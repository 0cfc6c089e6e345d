"""What runs on behalf of the client, by name, so that it can be cancelled: by its request, its progress, a command."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


class Tasks:
    """The running tasks by name; an error in one goes to the log."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._progress: dict[str | int, asyncio.Task[Any]] = {}

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something under a name; what has that name is cancelled."""
        self.cancel(name)
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running[name] = task
        task.add_done_callback(self._done)
        return task

    async def finished(self, name: str) -> None:
        """Wait for the end of a task, if it runs."""
        if name in self._running:
            await asyncio.wait({self._running[name]})

    def name_progress(self, token: str | int) -> None:
        """The running task is what a progress bar shows; cancelling the bar cancels it."""
        task = asyncio.current_task()
        if task is not None:
            self._progress[token] = task
            task.add_done_callback(lambda _: self._progress.pop(token, None))

    def cancel_progress(self, token: str | int) -> bool:
        """Cancel what a progress bar shows; whether that ran."""
        task = self._progress.pop(token, None)
        return task is not None and task.cancel()

    def cancel(self, name: str) -> bool:
        """Cancel a task; whether there was one."""
        task = self._running.pop(name, None)
        return task is not None and task.cancel()

    def cancel_work(self) -> list[str | int]:
        """Cancel all that has a progress bar; the tokens of the bars."""
        return [token for token in list(self._progress) if self.cancel_progress(token)]

    def cancel_all(self) -> None:
        """Cancel everything."""
        self.cancel_work()
        for name in list(self._running):
            self.cancel(name)

    @property
    def names(self) -> list[str]:
        """What runs."""
        return list(self._running)

    @property
    def has_progress(self) -> bool:
        """Whether something with a progress bar runs."""
        return bool(self._progress)

    def _done(self, task: asyncio.Task[Any]) -> None:
        if self._running.get(task.get_name()) is task:
            del self._running[task.get_name()]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name().partition(" ")[0], exc_info=error)
