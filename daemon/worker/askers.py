"""Every request that is not answered yet, and its one answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from saliscope.daemon.worker.outlet import Outlet
from saliscope.daemon.worker.scheduling.deadlines import Deadlines
from saliscope.daemon.worker.sharing import Asker, Computation, Rank, Shared
from saliscope.protocol.errors import SaliscopeError

CANCELLED = SaliscopeError("cancelled", "the client cancelled this request")
SUPERSEDED = SaliscopeError("superseded", "a newer request of this client took the place of this one")


class Askers:
    """Who waits for an answer: answered, cancelled, superseded or out of time, whichever comes first.

    `forget` is called with the id of one that leaves before its model was there.
    """

    def __init__(self, outlet: Outlet, clock: Callable[[], float], rank: Rank, forget: Callable[[int], object]) -> None:
        self._outlet, self._clock, self._rank, self._forget = outlet, clock, rank, forget
        self._askers: dict[int, Asker] = {}
        self._newest: dict[tuple[int, str], Asker] = {}
        self._shared: dict[Hashable, Shared] = {}
        self._deadlines: Deadlines[int] = Deadlines()

    def __len__(self) -> int:
        return len(self._askers)

    def __contains__(self, asker: Asker) -> bool:
        return self._askers.get(asker.id) is asker

    def arrive(self, asker: Asker) -> None:
        """One more is owed an answer."""
        self._askers[asker.id] = asker
        if asker.max_ms is not None:
            self._deadlines.set(asker.id, self._clock() + asker.max_ms / 1000)

    def supersede(self, asker: Asker) -> None:
        """End the request whose place this one takes, if there is one."""
        if asker.newest is not None:
            older = self._newest.get(asker.newest)
            if asker in self:
                self._newest[asker.newest] = asker
            if older is not None:
                self._end(older, SUPERSEDED)

    def compute(self, asker: Asker, key: Hashable, make: Callable[[Shared], Computation]) -> None:
        """Let it wait for the computation of this key, which is made if there is none."""
        shared = self._shared.get(key)
        if shared is not None:
            shared.join(asker)
            return
        shared = Shared(self.reply, self._rank, lambda: self._shared.pop(key, None))
        shared.work = make(shared)
        self._shared[key] = shared
        shared.join(asker)
        shared.start()

    def cancel(self, request_id: Any) -> None:
        """Stop a request and answer it; one that is answered already is left alone."""
        if request_id in self._askers:
            self._end(self._askers[request_id], CANCELLED)

    def expire(self) -> None:
        """Answer those whose time is over with what there is."""
        for request_id in self._deadlines.due(self._clock()):
            asker = self._askers[request_id]
            if asker.shared is not None:
                asker.shared.expire(asker)
            else:
                message = f"max_ms {asker.max_ms:g} is over while the model loads; allow more, or load it before"
                self._end(asker, SaliscopeError("timeout", message))

    @property
    def wait_s(self) -> float | None:
        """How long until `expire` has something to do; None: nobody has a time."""
        return None if self._deadlines.next is None else max(0.0, self._deadlines.next - self._clock())

    def reply(self, asker: Asker, outcome: dict[str, Any] | SaliscopeError) -> None:
        """Answer a request, once; nothing is owed to it any more."""
        if asker not in self:
            return
        del self._askers[asker.id]
        self._deadlines.forget(asker.id)
        if asker.newest is not None and self._newest.get(asker.newest) is asker:
            del self._newest[asker.newest]
        if isinstance(outcome, SaliscopeError):
            self._outlet.fail(asker.id, outcome)
        else:
            self._outlet.answer(asker.id, outcome)

    def _end(self, asker: Asker, error: SaliscopeError) -> None:
        if asker.shared is not None:
            asker.shared.leave(asker, error)
        else:
            self._forget(asker.id)
            self.reply(asker, error)
