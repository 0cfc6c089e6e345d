"""Micro-batches: rows of different requests through the model together, answers back to each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from saliscope.daemon.worker.errors import free_memory, is_out_of_memory, to_wire_error
from saliscope.daemon.worker.marks import Marks
from saliscope.daemon.worker.prefixes import Prefixes
from saliscope.daemon.worker.scheduling.budget import Budget
from saliscope.daemon.worker.scheduling.level import Level
from saliscope.daemon.worker.scheduling.queue import Queue
from saliscope.daemon.worker.scheduling.ticket import Owner, Share, Ticket
from saliscope.daemon.worker.solver import Solver
from saliscope.daemon.worker.warming import measure
from saliscope.explainers.answers import Answer
from saliscope.explainers.errors import ExplainerError, TooLarge
from saliscope.explainers.models.packing import batch_key
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.queries import Evaluate, ModelQuery, Piece, Query, Solve, join, rows_together
from saliscope.protocol.errors import SaliscopeError

log = logging.getLogger(__name__)

Outcome = Answer | SaliscopeError
Deliver = Callable[[Outcome], None]


@dataclass(slots=True, eq=False)
class Asked:
    """A query on its way: its model, who gets the whole, how many rows the queue counts as one, whether it goes on from
    what is kept of an earlier text, and the pieces answered so far.
    """

    model: TextModel
    query: ModelQuery
    deliver: Deliver
    together: int = 1
    on_seconds: Callable[[float], None] | None = None
    continues: bool = False
    parts: list[Answer] = field(default_factory=list)


@dataclass(slots=True)
class Work:
    """What was computed since the start; `padded_tokens` went through models, `tokens` of them were asked for."""

    batches: int = 0
    rows: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    out_of_memory: int = 0


class Batcher:
    """Queues queries and computes them, one micro-batch a `step`."""

    def __init__(
        self,
        solver: Solver,
        default: Callable[[], Budget] = Budget,
        marks: Marks | None = None,
        prefixes: Prefixes | None = None,
    ) -> None:
        self.queue: Queue[Asked] = Queue()
        self.done = Work()
        self.prefixes = prefixes or Prefixes(0)
        self._solver = solver
        self._marks = marks or Marks()
        self._default = default
        self._budgets: WeakKeyDictionary[TextModel, Budget] = WeakKeyDictionary()

    def budget(self, model: TextModel) -> Budget:
        """The token budget of a model: what was measured of it, or the default."""
        return self._budgets.setdefault(model, self._default())

    def warm(self, model: TextModel) -> None:
        """Measure a model's budget; for the thread that has loaded it, before it is used."""
        try:
            self._budgets[model] = measure(model)
        except ExplainerError as error:
            # A model that cannot answer the trial still has its say in each request.
            log.warning("no token budget was measured (%s): the default is used", error.code)

    def add(
        self,
        owner: Owner,
        model: TextModel,
        query: Query,
        deliver: Deliver,
        on_seconds: Callable[[float], None] | None = None,
        *,
        is_written: bool = False,
    ) -> None:
        """Queue a query of an owner; `deliver` gets its answer, or the error, on a later `step`.

        `on_seconds` is told its share of the time that each of its micro-batches took. A text that `is_written` just
        now is likely to come again with an edit: it goes on from what is kept of the last one, and is kept.
        """
        if isinstance(query, Solve):
            self._solver.submit(owner, query, deliver)
            return
        key, together = (id(model), *batch_key(query)), rows_together(query)
        asked = Asked(model, query, deliver, together, on_seconds)
        rows, tokens = query.num_rows // together, together * len(query.encoding)
        # What runs apart must not depend on what others have asked.
        if is_written and not owner.alone and self.prefixes.takes(model, query):
            num_new = self.prefixes.num_new(model, query.encoding.ids)
            if self._is_better_alone(owner, tokens, num_new):
                asked.continues, tokens = True, num_new
        budget = Budget() if owner.fixed else self.budget(model)
        self.queue.add(Ticket(owner, key, rows, tokens, asked, budget, alone=asked.continues))

    def _is_better_alone(self, owner: Owner, num_tokens: int, num_new: int) -> bool:
        """Whether a text is computed from what is kept, of which `num_new` tokens are left, and not merged with others.

        Where somebody writes, always; else if that saves half of it, or nobody waits to be merged with. Never bulk
        work: what somebody writes would be pushed out.
        """
        if owner.level == Level.REQUEST:
            return 2 * num_new <= num_tokens or not self.queue
        return owner.level == Level.INTERACTIVE

    def cancel(self, owner: Owner) -> None:
        """Drop what an owner still has in the queue; nothing more is delivered to it."""
        self.queue.cancel(owner)
        self._solver.cancel(owner)

    def rank(self, owner: Owner, client: int, level: Level) -> None:
        """Let what an owner has in the queue, and what it will have, count for another client and class."""
        self.queue.move(owner, client, level)

    def step(self) -> bool:
        """Compute one micro-batch; False if nothing waits."""
        shares = self.queue.next_batch()
        if not shares:
            return False
        started = time.perf_counter()
        outcome = self._compute(shares)
        if isinstance(outcome, Exception):
            self._failed(shares, outcome)
            return True
        _charge(shares, time.perf_counter() - started)
        for share, answer in zip(shares, outcome, strict=True):
            self._hand_back(share, answer)
        return True

    def _compute(self, shares: list[Share[Asked]]) -> list[Answer] | Exception:
        """One answer a share, or why there is none."""
        pieces, first = [_piece(share) for share in shares], shares[0].ticket.payload
        self._marks.set({id for share in shares for id in share.ticket.owner.requests})
        try:
            if first.continues:
                assert isinstance(first.query, Evaluate)
                answers = [self.prefixes.compute(first.model, first.query)]
            else:
                answers = first.model.compute(pieces)
        except Exception as error:
            # Its frames would hold the tensors that are to make room.
            return error.with_traceback(None) if is_out_of_memory(error) else error
        shares[0].ticket.budget.went_well()
        self.done.batches += 1
        self.done.rows += sum(piece.stop - piece.start for piece in pieces)
        self.done.tokens += sum(share.num_tokens for share in shares)
        self.done.padded_tokens += _padded(shares)
        return answers

    def _failed(self, shares: list[Share[Asked]], error: Exception) -> None:
        """Put back what may go well in another way: less at once if memory ran out, else each request by itself.

        A row that does so alone is what fails.
        """
        no_memory = is_out_of_memory(error)
        if no_memory:
            self.done.out_of_memory += 1
        if self._tried_without_prefixes(shares, error):
            return
        if no_memory:
            shares[0].ticket.budget.shrink(_padded(shares))
            free_memory()
        if len(shares) > 1 or (no_memory and shares[0].stop - shares[0].start > 1):
            log.warning("a micro-batch of %d requests failed (%s): tried apart", len(shares), type(error).__name__)
            for share in shares:
                share.ticket.alone = share.ticket.alone or not no_memory
                self.queue.put_back(share)
            return
        self.queue.drop(shares[0].ticket)
        shares[0].ticket.payload.deliver(to_wire_error(error))

    def _tried_without_prefixes(self, shares: list[Share[Asked]], error: Exception) -> bool:
        """Let go what is kept of texts and put the shares back, if going on from it has failed or memory lacks."""
        first = shares[0].ticket
        is_large = is_out_of_memory(error) or isinstance(error, TooLarge)
        if not first.payload.continues and not (is_large and self.prefixes.num_bytes):
            return False
        freed = self.prefixes.clear()
        free_memory()
        log.warning("%s with %d bytes kept of texts: tried without", type(error).__name__, freed)
        if first.payload.continues:
            first.payload.continues, first.row_tokens = False, len(first.payload.query.encoding)
        for share in shares:
            self.queue.put_back(share)
        return True

    def _hand_back(self, share: Share[Asked], answer: Answer) -> None:
        asked = share.ticket.payload
        asked.parts.append(answer)
        if share.stop == share.ticket.num_rows:
            asked.deliver(join(asked.query, asked.parts))


def _charge(shares: list[Share[Asked]], seconds: float) -> None:
    """Tell each share its part of a micro-batch's time, by tokens."""
    total = sum(share.num_tokens for share in shares)
    for share in shares:
        if share.ticket.payload.on_seconds is not None:
            share.ticket.payload.on_seconds(seconds * share.num_tokens / total)


def _padded(shares: list[Share[Asked]]) -> int:
    """Tokens that a micro-batch has with its padding."""
    return max(share.ticket.row_tokens for share in shares) * sum(share.stop - share.start for share in shares)


def _piece(share: Share[Asked]) -> Piece:
    asked = share.ticket.payload
    return Piece(asked.query, share.start * asked.together, share.stop * asked.together)
