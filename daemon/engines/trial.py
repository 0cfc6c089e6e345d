"""What has happened to one request so far, and what follows: run again, run alone, or give up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification
from saliscope.protocol.listening import OnNotification
from saliscope.protocol.messages import BUNDLED

#: Requests that wait for a model, which is loaded first if need be.
_LOADING: Final = frozenset({"explain", "evaluate", "predict", "generate", "tokenize", "models/load"})
#: A request that was being computed in this many workers that died is not run again.
MAX_CHARGED: Final = 2
#: However innocent, a request is not run more often than this.
MAX_RUNS: Final = 10
#: How often in a row a worker that cannot be started is tried.
MAX_FAILED_STARTS: Final = 3


class Again(Exception):
    """A run that came to nothing, through no answer of the worker's; the trial knows what of it."""


class Trial:
    """One request on its way through workers that may die.

    Those that a dying worker was computing are charged and run alone the next time; the others just run again. What
    a request keeps on disk (`keeps`, an evaluation with a folder) is not lost: progress clears it of earlier charges.
    """

    def __init__(self, method: str, params: dict[str, Any]) -> None:
        self.method = method
        #: The model that it waits for; None if it needs none.
        self.model: str | None = (params.get("model") or BUNDLED[0]) if method in _LOADING else None
        self.over = asyncio.Event()
        #: Others whose worker died with this one's and who are not charged: they run first.
        self.first: list[Trial] = []
        self._keeps = method == "evaluate" and params.get("out") is not None
        #: How many workers have died with it.
        self.num_runs = 0
        self._num_charged = self._num_failed_starts = 0
        self._progress = self._kept = 0.0
        #: How the last of them ended.
        self.how = ""

    @property
    def is_charged(self) -> bool:
        """Whether it is to run alone."""
        return self._num_charged > 0

    def progressed(self, done: float) -> None:
        """Units done, as the worker notifies them."""
        self._progress = max(self._progress, done)

    def ended(self, how: str, *, charged: bool) -> None:
        """The worker died while it had this request; `charged`: while it was at work on it."""
        self.num_runs += 1
        self.how = how
        if self._keeps and self._progress > self._kept:
            self._num_charged, self._kept = 0, self._progress
        self._num_charged += charged

    def not_started(self, error: SaliscopeError) -> None:
        """No worker could be started for it; raises `error` when that was so too often, or will always be so."""
        self._num_failed_starts += 1
        if self._num_failed_starts >= MAX_FAILED_STARTS or error.code == "bad_request":
            raise error

    def check(self) -> None:
        """Raise `internal`, with the reason and what to do, if the request is not to run again."""
        kept = "; what was found is kept, the same command goes on there" if self._keeps else ""
        if self._num_charged >= MAX_CHARGED:
            raise SaliscopeError(
                "internal",
                f"{self.how} ended the worker while it computed this request, {MAX_CHARGED} times, the last time "
                f"alone; try a shorter text, another method or another model{kept}",
                {"reason": self.how, "charged": self._num_charged},
            )
        if self.num_runs >= MAX_RUNS:
            raise SaliscopeError(
                "internal",
                f"the worker ended {self.num_runs} times while this request was with it (the last time: {self.how}), "
                f"which seems not to be its fault; look at `saliscope daemon logs`, then send it again{kept}",
                {"reason": self.how, "runs": self.num_runs},
            )


async def until_answered(
    method: str,
    params: dict[str, Any],
    on_notification: OnNotification | None,
    attempt: Callable[[Trial, OnNotification], Awaitable[Any]],
) -> Any:
    """Run a request until it is answered or must not run again; `attempt` is one run, which may end as `Again`."""
    trial = Trial(method, params)

    def listen(notification: Notification) -> None:
        if notification.method == "$/progress" and notification.params is not None:
            trial.progressed(notification.params.get("done", 0.0))
        if on_notification is not None:
            on_notification(notification)

    try:
        while True:
            try:
                return await attempt(trial, listen)
            except Again:
                trial.check()
                if trial.how:
                    listen(stage(f"the worker ended ({trial.how}), running again"))
    finally:
        trial.over.set()


def stage(said: str) -> Notification:
    """The news of what a request waits for."""
    return Notification("$/progress", {"stage": said})
