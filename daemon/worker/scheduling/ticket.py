"""Rows that wait for the device, and whose they are."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from saliscope.daemon.worker.scheduling.budget import Budget
from saliscope.daemon.worker.scheduling.level import Level

P = TypeVar("P")


@dataclass(slots=True, eq=False)
class Owner:
    """One computation that asks for rows: its client's number, its class, whether it shares micro-batches, the ids of
    the requests that wait for it, and whether nothing measured may decide how its rows are cut into micro-batches.
    """

    client: int = 0
    level: Level = Level.REQUEST
    alone: bool = False
    requests: Collection[int] = ()
    fixed: bool = False


@dataclass(slots=True, eq=False)
class Ticket(Generic[P]):
    """`num_rows` rows of `row_tokens` tokens that wait for their turn; equal `key`s may share a micro-batch of
    `budget`. `since` is when it came.
    """

    owner: Owner
    key: Hashable
    num_rows: int
    row_tokens: int
    payload: P
    budget: Budget
    since: float = 0.0
    alone: bool = False
    next_row: int = 0

    @property
    def rows_left(self) -> int:
        """Rows that were not handed out yet."""
        return self.num_rows - self.next_row

    @property
    def tokens_left(self) -> int:
        """Tokens of the rows that were not handed out yet."""
        return self.rows_left * self.row_tokens

    @property
    def is_alone(self) -> bool:
        """Whether its rows must share no micro-batch with others."""
        return self.alone or self.owner.alone


class Share(NamedTuple, Generic[P]):
    """Rows `start:stop` of a ticket in a micro-batch."""

    ticket: Ticket[P]
    start: int
    stop: int

    @property
    def num_tokens(self) -> int:
        """Tokens of these rows, unpadded."""
        return (self.stop - self.start) * self.ticket.row_tokens
