"""One computation for all who ask the same: each is answered, and leaves, for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from saliscope.daemon.worker.errors import to_wire_error
from saliscope.daemon.worker.scheduling.level import Level
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.explainers.attribution import Attribution
from saliscope.explainers.targets.writing import Written
from saliscope.protocol.errors import SaliscopeError

Estimate = Attribution | Written
"""What a computation knows before it ends."""
Reply = Callable[["Asker", "dict[str, Any] | SaliscopeError"], None]
Rank = Callable[[Owner, int, Level], None]


class Listener(Protocol):
    """Who is told how a computation goes."""

    def finished(self, result: Any) -> None:
        """It has ended with this."""

    def failed(self, error: SaliscopeError) -> None:
        """It has ended with an error."""

    def cut(self, why: str) -> None:
        """It has ended early, because of `why`; its `best` is what there is."""

    def estimated(self, index: int, estimate: Estimate) -> None:
        """There is a new estimate for text number `index`."""

    def counted(self, done: int, total: int) -> None:
        """So much of it is done."""


class Computation(Protocol):
    """What `Shared` runs for its `owner`."""

    owner: Owner

    @property
    def estimates(self) -> Mapping[int, Estimate]:
        """The newest by text."""

    @property
    def spent(self) -> str:
        """What was computed, in words."""

    def start(self) -> None:
        """Put it to work."""

    def stop(self) -> str:
        """End it without a word to its listener; says what is kept of it, if anything is."""

    def best(self) -> Any | None:
        """The result as far as it is known; None while that is not enough."""


@dataclass(slots=True, eq=False)
class Asker:
    """One request: who asks, how urgent it is, how it wants to be answered.

    `answer` makes the wire's result of a computation's, with what there is to warn of. `newest` is the key under which
    a newer request of its client takes its place.
    """

    id: int
    client: int = 0
    level: Level = Level.REQUEST
    answer: Callable[[Any, list[str]], dict[str, Any]] = lambda result, notes: result
    estimated: Callable[[int, Estimate], None] | None = None
    counted: Callable[[int, int], None] | None = None
    max_ms: float | None = None
    newest: tuple[int, str] | None = None
    shared: Shared | None = None


class Shared:
    """A computation and its askers; it goes on while there is one, in the class of the most urgent of them."""

    def __init__(self, reply: Reply, rank: Rank, over: Callable[[], object]) -> None:
        self.askers: dict[int, Asker] = {}
        self.work: Computation
        self._reply, self._rank, self._over = reply, rank, over

    def start(self) -> None:
        """Put the computation to work; what it cannot begin with fails its askers."""
        try:
            self.work.start()
        except Exception as error:
            self.failed(to_wire_error(error))

    def join(self, asker: Asker) -> None:
        """One more who wants the result; it hears the newest estimates at once."""
        asker.shared = self
        self.askers[asker.id] = asker
        self._move()
        if asker.estimated is not None:
            for index, estimate in self.work.estimates.items():
                asker.estimated(index, estimate)

    def leave(self, asker: Asker, error: SaliscopeError) -> None:
        """Answer one asker with an error; the last one ends the computation."""
        del self.askers[asker.id]
        kept = self._left()
        self._reply(asker, SaliscopeError(error.code, error.message + kept, error.data))

    def expire(self, asker: Asker) -> None:
        """Answer one asker, whose time is over, with the best estimate."""
        del self.askers[asker.id]
        outcome = self._best_for(asker, f"max_ms {asker.max_ms:g}")
        self._left()
        self._reply(asker, outcome)

    # -- what the computation says ----------------------------------------------------------------

    def finished(self, result: Any) -> None:
        """Answer everybody."""
        self._end(lambda asker: asker.answer(result, []))

    def failed(self, error: SaliscopeError) -> None:
        """Answer everybody with the error."""
        self._end(lambda asker: error)

    def cut(self, why: str) -> None:
        """Answer everybody with the best estimate."""
        self._end(lambda asker: self._best_for(asker, why))

    def estimated(self, index: int, estimate: Estimate) -> None:
        """Hand an estimate to those who want them."""
        for asker in self.askers.values():
            if asker.estimated is not None:
                asker.estimated(index, estimate)

    def counted(self, done: int, total: int) -> None:
        """Hand the progress to those who want it."""
        for asker in self.askers.values():
            if asker.counted is not None:
                asker.counted(done, total)

    # -- inside -----------------------------------------------------------------------------------

    def _end(self, outcome: Callable[[Asker], dict[str, Any] | SaliscopeError]) -> None:
        self._over()
        askers, self.askers = self.askers, {}
        for asker in askers.values():
            self._reply(asker, outcome(asker))

    def _best_for(self, asker: Asker, why: str) -> dict[str, Any] | SaliscopeError:
        best = self.work.best()
        if best is None:
            return SaliscopeError(
                "timeout",
                f"{why} is over after {self.work.spent}, before there was an estimate; allow more, ask for fewer "
                "texts, or choose a cheaper method (`saliscope methods` has their costs)",
            )
        return asker.answer(best, [f"{why} is over: this is the best estimate so far, after {self.work.spent}"])

    def _left(self) -> str:
        """One has left: go on for the others, or end; says what is kept then."""
        if self.askers:
            self._move()
            return ""
        self._over()
        return self.work.stop()

    def _move(self) -> None:
        """Let the computation count as the most urgent asker's."""
        first, owner = min(self.askers.values(), key=lambda asker: asker.level), self.work.owner
        if (first.client, first.level) != (owner.client, owner.level):
            self._rank(owner, first.client, first.level)
