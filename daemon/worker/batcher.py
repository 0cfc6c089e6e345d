"""Micro-batches: rows of different requests through the model together, answers back to each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from saliscope.daemon.worker.errors import to_wire_error
from saliscope.daemon.worker.marks import Marks
from saliscope.daemon.worker.scheduling.queue import Queue, Share, Ticket
from saliscope.daemon.worker.solver import Solver
from saliscope.explainers.answers import Answer
from saliscope.explainers.models.execution import batch_key
from saliscope.explainers.models.textmodel import TOKENS_PER_MICRO_BATCH, TextModel
from saliscope.explainers.queries import ModelQuery, Piece, Query, Solve, join, rows_together
from saliscope.protocol.errors import SaliscopeError

log = logging.getLogger(__name__)

Outcome = Answer | SaliscopeError
Deliver = Callable[[Outcome], None]


@dataclass(slots=True, eq=False)
class Asked:
    """A query on its way: its model, who gets the whole, how many rows the queue counts as one, and the pieces
    answered so far.
    """

    model: TextModel
    query: ModelQuery
    deliver: Deliver
    together: int = 1
    on_seconds: Callable[[float], None] | None = None
    parts: list[Answer] = field(default_factory=list)


class Batcher:
    """Queues queries and computes them, one micro-batch a `step`."""

    def __init__(self, solver: Solver, budget: int = TOKENS_PER_MICRO_BATCH, marks: Marks | None = None) -> None:
        self.queue: Queue[Asked] = Queue(budget)
        self._marks = marks or Marks()
        self._solver = solver
        self.num_batches = self.num_rows = self.num_tokens = 0

    def add(
        self,
        owner: int,
        model: TextModel,
        query: Query,
        deliver: Deliver,
        on_seconds: Callable[[float], None] | None = None,
    ) -> None:
        """Queue a query of an owner; `deliver` gets its answer, or the error, on a later `step`.

        `on_seconds` is told its share of the time that each of its micro-batches took.
        """
        if isinstance(query, Solve):
            self._solver.submit(query, deliver)
            return
        key, together = (id(model), *batch_key(query)), rows_together(query)
        asked = Asked(model, query, deliver, together, on_seconds)
        self.queue.add(Ticket(owner, key, query.num_rows // together, together * len(query.encoding), asked))

    def cancel(self, owner: int) -> None:
        """Drop what an owner still has in the queue; nothing more is delivered to it."""
        self.queue.cancel(owner)

    def step(self) -> bool:
        """Compute one micro-batch; False if nothing waits."""
        shares = self.queue.next_batch()
        if not shares:
            return False
        started = time.perf_counter()
        outcomes = self._compute(shares)
        _charge(shares, time.perf_counter() - started)
        for share, outcome in zip(shares, outcomes, strict=True):
            self._hand_back(share, outcome)
        return True

    def _compute(self, shares: list[Share[Asked]]) -> list[Outcome]:
        """One outcome a share. If a merged micro-batch fails, each share runs alone: only the guilty one fails."""
        pieces = [_piece(share) for share in shares]
        self._marks.set({cast(int, share.ticket.owner) for share in shares})
        try:
            answers: list[Outcome] = list(shares[0].ticket.payload.model.compute(pieces))
        except Exception as error:
            if len(shares) > 1:
                log.warning("a micro-batch of %d requests failed (%s): run apart", len(shares), type(error).__name__)
                return [outcome for share in shares for outcome in self._compute([share])]
            return [to_wire_error(error)]
        self.num_batches += 1
        self.num_rows += sum(piece.stop - piece.start for piece in pieces)
        self.num_tokens += sum(piece.num_tokens for piece in pieces)
        return answers

    def _hand_back(self, share: Share[Asked], outcome: Outcome) -> None:
        asked = share.ticket.payload
        if isinstance(outcome, SaliscopeError):
            self.queue.drop(share.ticket)
            asked.deliver(outcome)
            return
        asked.parts.append(outcome)
        if share.stop == share.ticket.num_rows:
            asked.deliver(join(asked.query, asked.parts))


def _charge(shares: list[Share[Asked]], seconds: float) -> None:
    """Tell each share its part of a micro-batch's time, by tokens."""
    tokens = [(share.stop - share.start) * share.ticket.row_tokens for share in shares]
    for share, own in zip(shares, tokens, strict=True):
        if share.ticket.payload.on_seconds is not None:
            share.ticket.payload.on_seconds(seconds * own / sum(tokens))


def _piece(share: Share[Asked]) -> Piece:
    asked = share.ticket.payload
    return Piece(asked.query, share.start * asked.together, share.stop * asked.together)
