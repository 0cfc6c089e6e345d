"""Whose rows run next: one queue, turns by owner, rows of different owners merged under a token budget."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

P = TypeVar("P")

MOST_PADDING = 2.0
"""A micro-batch may hold at most this many times the tokens that were asked for."""


@dataclass(slots=True, eq=False)
class Ticket(Generic[P]):
    """`num_rows` rows of `row_tokens` tokens that wait for their turn; equal `key`s may share a micro-batch."""

    owner: Hashable
    key: Hashable
    num_rows: int
    row_tokens: int
    payload: P
    next_row: int = 0

    @property
    def rows_left(self) -> int:
        """Rows that were not handed out yet."""
        return self.num_rows - self.next_row


class Share(NamedTuple, Generic[P]):
    """Rows `start:stop` of a ticket in a micro-batch."""

    ticket: Ticket[P]
    start: int
    stop: int


class Queue(Generic[P]):
    """Tickets in turn: each micro-batch starts with the owner that has waited longest since its last one."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._turns: deque[Hashable] = deque()
        self._tickets: dict[Hashable, deque[Ticket[P]]] = {}

    def __len__(self) -> int:
        return sum(len(tickets) for tickets in self._tickets.values())

    @property
    def num_rows(self) -> int:
        """Rows that wait."""
        return sum(ticket.rows_left for tickets in self._tickets.values() for ticket in tickets)

    def add(self, ticket: Ticket[P]) -> None:
        """Let a ticket wait for its turn."""
        if ticket.owner not in self._tickets:
            self._tickets[ticket.owner] = deque()
            self._turns.append(ticket.owner)
        self._tickets[ticket.owner].append(ticket)

    def cancel(self, owner: Hashable) -> int:
        """Drop all tickets of an owner; returns how many."""
        if owner in self._turns:
            self._turns.remove(owner)
        return len(self._tickets.pop(owner, ()))

    def drop(self, ticket: Ticket[P]) -> None:
        """Hand out no more rows of a ticket."""
        tickets = self._tickets.get(ticket.owner, deque())
        if ticket in tickets:
            tickets.remove(ticket)
            if not tickets:
                self.cancel(ticket.owner)

    def next_batch(self) -> list[Share[P]]:
        """The next micro-batch, empty if nobody waits: at least one row, else at most `budget` padded tokens.

        The owner at the head decides the key. It gets half of the budget at first, so that others with the same key
        come along, and what they leave after that. Whoever got rows goes to the back.
        """
        if not self._turns:
            return []
        leader = self._tickets[self._turns[0]][0]
        batch = _Batch[P](self.budget)
        batch.take(leader, self.budget // 2)
        for ticket in self._waiting(leader.key):
            batch.take(ticket, self.budget)
        batch.take(leader, self.budget)
        self._close(batch)
        return batch.shares()

    def _waiting(self, key: Hashable) -> Iterator[Ticket[P]]:
        for owner in list(self._turns):
            for ticket in self._tickets[owner]:
                if ticket.key == key and ticket is not self._tickets[self._turns[0]][0]:
                    yield ticket

    def _close(self, batch: _Batch[P]) -> None:
        for owner in dict.fromkeys(ticket.owner for ticket in batch.rows):
            left = deque(ticket for ticket in self._tickets[owner] if ticket.rows_left)
            self._turns.remove(owner)
            if left:
                self._tickets[owner] = left
                self._turns.append(owner)
            else:
                del self._tickets[owner]


class _Batch(Generic[P]):
    """A micro-batch in the making."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.rows: dict[Ticket[P], tuple[int, int]] = {}
        self._num_rows = self._num_tokens = self._width = 0

    def take(self, ticket: Ticket[P], budget: int) -> None:
        """Add as many rows of a ticket as fit, of the first ticket at least one."""
        width = max(self._width, ticket.row_tokens)
        fit = budget // width - self._num_rows
        if self._num_rows:
            waste = width * (self._num_rows + 1) > MOST_PADDING * (self._num_tokens + ticket.row_tokens)
            fit = 0 if waste else fit
        else:
            fit = max(fit, 1)
        count = min(fit, ticket.rows_left)
        if count <= 0:
            return
        start, _ = self.rows.get(ticket, (ticket.next_row, ticket.next_row))
        ticket.next_row += count
        self.rows[ticket] = (start, ticket.next_row)
        self._num_rows += count
        self._num_tokens += count * ticket.row_tokens
        self._width = width

    def shares(self) -> list[Share[P]]:
        """What was taken."""
        return [Share(ticket, start, stop) for ticket, (start, stop) in self.rows.items()]
