"""The models of this worker: one load for all who ask, kept while they are used and for a while after, as room allows.

Everything happens in `tick`, between two turns of the worker's loop: no request is then on the stack, so that a model
that goes is really gone.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from saliscope.daemon.worker.memory import reclaim, resident_bytes
from saliscope.daemon.worker.pool.budget import Budgets
from saliscope.daemon.worker.pool.entry import Entry, Leaver, Listener, Outcome, Waiter
from saliscope.daemon.worker.pool.keeping import kept
from saliscope.daemon.worker.pool.loading import Loaded, Loading, OutOfMemory, Weighed
from saliscope.daemon.worker.pool.room import Room
from saliscope.daemon.worker.pool.wishes import Wishes
from saliscope.daemon.worker.prefixes import Prefixes
from saliscope.explainers.errors import ExplainerError, NoRoom
from saliscope.explainers.models.finding import BUNDLED
from saliscope.explainers.models.textmodel import TextModel

log = logging.getLogger(__name__)


class ModelPool:
    """Loads models on threads; every callback runs through `post`, on the worker's own thread.

    `warm` is called with each model where it was loaded, before anybody else gets it. An owner uses a model from the
    moment it gets it until `release`; a model in use never goes. The `prefixes` of texts go with their model, and
    before any model where room is short.
    """

    def __init__(
        self,
        device: str,
        post: Callable[[Callable[[], None]], None],
        warm: Callable[[TextModel], None],
        budgets: Budgets | None = None,
        clock: Callable[[], float] = time.monotonic,
        prefixes: Prefixes | None = None,
    ) -> None:
        self._wishes = Wishes(device)
        self._entries: dict[str, Entry] = {}
        self._used: dict[object, Entry] = {}
        self._clock = clock
        self._prefixes = prefixes or Prefixes(0)
        self._loading = Loading(post, warm)
        self._room = Room(budgets or Budgets.of_environment())
        self._is_due = False
        self.counters = {"loads": 0, "unloads": 0, "evictions": 0, "load_retries": 0}

    # -- what requests want -----------------------------------------------------------------------

    def get(self, name: str, download: bool, owner: object, tell: Callable[[Outcome], None], listen: Listener) -> None:
        """Call `tell` with the model or the reason why there is none; `listen` hears the stages meanwhile."""
        entry = self._entries.get(name)
        if entry is not None and entry.state == "ready" and entry.model is not None:
            self._lend(entry, owner)
            tell(entry.model)
            return
        if entry is None:
            entry = self._entries[name] = self._begin(name, download)
        entry.waiters.append(Waiter(owner, tell, listen))
        if entry.stage:
            listen(entry.stage)

    def release(self, owner: object) -> None:
        """An owner is done with its model."""
        entry = self._used.pop(owner, None)
        if entry is not None:
            entry.users.discard(owner)
            entry.last_used = self._clock()
            self._is_due = True

    def forget(self, owner: object) -> bool:
        """Drop what an owner waits for; a load goes on for the next one, an unload that nobody else wants does not."""
        dropped = False
        for entry in self._entries.values():
            before = len(entry.waiters) + len(entry.leavers)
            entry.waiters = [row for row in entry.waiters if row.owner != owner]
            left = [row for row in entry.leavers if row.owner != owner]
            stays = entry.state == "draining" and bool(entry.leavers) and not left
            entry.leavers = left
            dropped = dropped or len(entry.waiters) + len(entry.leavers) < before
            if stays:
                self._serve(entry)
        return dropped

    def wish(self, name: str, keep_alive: float | None = None, **options: Any) -> None:
        """How a name is loaded from now on: the given ones of `LoadOptions`, and `keep_alive` in seconds.

        A model that is loaded otherwise is loaded anew as soon as nobody uses it.
        """
        after = self._wishes.change(name, keep_alive, options)
        entry = self._entries.get(name)
        if entry is None:
            return
        entry.keep_alive = after.keep_alive
        if entry.options != after.options and entry.state == "ready":
            entry.state = "draining"
            self._is_due = True
        elif entry.options == after.options and entry.state == "draining" and not entry.leavers:
            self._serve(entry)

    def keep(self, name: str, seconds: float) -> None:
        """Let a model that is loaded or loading stay this long after its last use (negative: for ever)."""
        if name in self._entries:
            self._entries[name].keep_alive = kept(seconds)

    def unload(self, name: str, owner: object, tell: Callable[[dict[str, int]], None]) -> bool:
        """Let a model go as soon as nobody uses it; `tell` then gets the bytes that this has freed.

        Requests that come before it has gone wait, and have it loaded anew. False if there is none.
        """
        entry = self._entries.get(name)
        if entry is None:
            return False
        entry.leavers.append(Leaver(owner, tell))
        if entry.state == "ready":
            entry.state = "draining"
        self._is_due = True
        return True

    # -- what is there ----------------------------------------------------------------------------

    def models(self) -> list[dict[str, Any]]:
        """What is loaded, then what is bundled and is not, as the wire's `ModelInfo`."""
        known = [entry.info(self._clock()) for entry in self._entries.values()]
        bundled = [
            {"name": name, "state": "available", "source": "bundled"} for name in BUNDLED if name not in self._entries
        ]
        return known + bundled

    def info(self, name: str) -> dict[str, Any]:
        """One loaded model as the wire's `ModelInfo`, with its fingerprint as it is now."""
        entry = self._entries[name]
        return entry.info(self._clock()) | ({} if entry.model is None else {"fingerprint": entry.model.fingerprint()})

    def memory(self) -> dict[str, dict[str, int]]:
        """Limit and use of each device."""
        return self._room.budgets.told()

    def idle(self) -> list[Entry]:
        """Models that are ready and that nobody uses, longest unused first."""
        found = [entry for entry in self._entries.values() if entry.is_idle and entry.state == "ready"]
        return sorted(found, key=lambda entry: entry.last_used)

    def drop(self, entry: Entry) -> None:
        """Let an idle model go now; the next request loads it anew."""
        entry.state = "draining"
        self._is_due = True

    # -- time -------------------------------------------------------------------------------------

    @property
    def wait_s(self) -> float | None:
        """How long the worker may wait before `tick` has something to do; None: as long as it takes."""
        if self._is_due:
            return 0.0
        next_at = min([*(entry.expires for entry in self._entries.values()), self._room.deadline], default=math.inf)
        return None if math.isinf(next_at) else max(0.0, next_at - self._clock())

    def tick(self) -> None:
        """Let go what is due, and load what there is room for; to be called where no request is on the stack."""
        if self.wait_s != 0:
            return
        self._is_due = False
        now = self._clock()
        for entry in list(self._entries.values()):
            if entry.is_idle and (entry.state == "draining" or entry.expires <= now):
                self._let_go(entry)
        if self._room.is_short and self._prefixes.clear():
            reclaim()
        for weighed, entry in self._room.admit(now, self.idle, self._evict):
            self._load(entry, weighed)
        for entry, error in self._room.late(now, self._entries.values()):
            self._failed(entry, error)

    # -- the way of a model -----------------------------------------------------------------------

    def _begin(self, name: str, download: bool) -> Entry:
        wish = self._wishes.of(name)
        entry = Entry(name, wish.options, wish.keep_alive, download)
        self._weigh(entry)
        return entry

    def _weigh(self, entry: Entry) -> None:
        def weighed(outcome: Weighed | ExplainerError) -> None:
            if isinstance(outcome, ExplainerError):
                self._failed(entry, outcome)
            else:
                entry.place, entry.source = outcome.place, outcome.source.told
                self._room.ask(outcome, entry, self._clock())
                self._is_due = True

        self._loading.weigh(
            entry.name, entry.options, entry.download, lambda *told: self._staged(entry, *told), weighed
        )

    def _load(self, entry: Entry, weighed: Weighed, is_retry: bool = False) -> None:
        def loaded(outcome: Loaded | ExplainerError) -> None:
            if isinstance(outcome, OutOfMemory) and not is_retry:
                # What the reader said it needed was too little; everything that nobody uses makes room once.
                self.counters["load_retries"] += 1
                self._prefixes.clear()
                for idle in self.idle():
                    self._evict(idle)
                reclaim()
                self._load(entry, weighed, is_retry=True)
                return
            if isinstance(outcome, ExplainerError):
                self._room.give_back(entry)
                self._failed(entry, self._room.explained(outcome, weighed))
                return
            entry.model, entry.load_s = outcome.model, outcome.seconds
            entry.model.room = self._room.budgets.of(weighed.place).meter.spare
            entry.last_used = entry.verified = self._clock()
            # Its tensors; what else the process took on the way is seen in what is left on the device.
            self._room.settle(entry, outcome.model.num_bytes)
            self.counters["loads"] += 1
            self._is_due = True
            self._serve(entry)

        self._loading.load(entry.name, weighed, entry.options, lambda *told: self._staged(entry, *told), loaded)

    def _staged(self, entry: Entry, text: str, *counts: float) -> None:
        entry.stage = text
        for waiter in entry.waiters:
            waiter.listen(text, *counts)

    def _serve(self, entry: Entry) -> None:
        """Give the model to all who wait for it, unless it is to be loaded another way by now.

        Afterwards it goes if somebody wants it gone.
        """
        assert entry.model is not None
        entry.state, entry.stage = "ready", ""
        self._is_due = True
        if entry.options != self._wishes.of(entry.name).options:
            entry.state = "draining"
            return
        waiters, entry.waiters = entry.waiters, []
        for waiter in waiters:
            self._lend(entry, waiter.owner)
        for waiter in waiters:
            waiter.tell(entry.model)
        if entry.leavers:
            entry.state = "draining"

    def _lend(self, entry: Entry, owner: object) -> None:
        entry.users.add(owner)
        entry.last_used = self._clock()
        self._used[owner] = entry

    def _failed(self, entry: Entry, error: ExplainerError) -> None:
        """Tell whoever waits; the name is forgotten, and, unless room lacked, how it was to be loaded."""
        self._entries.pop(entry.name, None)
        if not isinstance(error, NoRoom):
            self._wishes.forget(entry.name)
        waiters, entry.waiters = entry.waiters, []
        leavers, entry.leavers = entry.leavers, []
        for waiter in waiters:
            waiter.tell(error)
        for leaver in leavers:
            leaver.tell({})

    def _evict(self, entry: Entry) -> None:
        self.counters["evictions"] += 1
        log.info("evicting %s, idle for %.0f s", entry.name, self._clock() - entry.last_used)
        self._let_go(entry)

    def _let_go(self, entry: Entry) -> None:
        """Free an idle model and measure what that gave; whoever asked for it meanwhile has it loaded anew."""
        assert entry.is_idle
        assert entry.place is not None
        ram, there = resident_bytes(), self._room.used(entry.place)
        del self._entries[entry.name]
        self._room.give_back(entry)
        if entry.model is not None:
            self._prefixes.drop(entry.model)
        entry.model = entry.verifying = None
        reclaim()
        freed = {"ram": max(0, ram - resident_bytes())}
        if entry.place.type == "cuda":
            freed["gpu"] = max(0, there - self._room.used(entry.place))
        self.counters["unloads"] += 1
        for leaver in entry.leavers:
            leaver.tell(freed)
        if entry.waiters:
            again = self._entries[entry.name] = self._begin(entry.name, entry.download)
            again.waiters = entry.waiters
