"""Whose rows run next: classes, fair turns, rows of different requests merged under a token budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, Generic, TypeVar

from saliscope.daemon.worker.scheduling.batch import Batch
from saliscope.daemon.worker.scheduling.level import Guarantee, Level
from saliscope.daemon.worker.scheduling.line import Line
from saliscope.daemon.worker.scheduling.ticket import Owner, Share, Ticket

P = TypeVar("P")

#: What a micro-batch costs beside its tokens, in tokens: many small ones must not pass for little.
FIXED_COST: Final = 64

#: How many of those whose turn is next are looked at for companions.
LOOK_AHEAD: Final = 64


class Queue(Generic[P]):
    """Everything that waits for one device; `next_batch` says what it computes next.

    Inside a class two clients that always wait have had the same, but for two budgets, the fixed cost and a row.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lines: dict[Level, Line[P]] = {level: Line() for level in Level}
        self._guarantee = Guarantee()
        #: By class: tickets that were begun, and the seconds that they had waited together.
        self.begun = dict.fromkeys(Level, 0)
        self.waited_s = dict.fromkeys(Level, 0.0)

    def __bool__(self) -> bool:
        return any(self._lines.values())

    def __len__(self) -> int:
        return sum(self.num_tickets(level) for level in Level)

    @property
    def num_rows(self) -> int:
        """Rows that wait."""
        return sum(self.rows_of(level) for level in Level)

    def num_tickets(self, level: Level) -> int:
        """Tickets of a class that wait."""
        return sum(1 for _ in self._lines[level])

    def rows_of(self, level: Level) -> int:
        """Rows of a class that wait."""
        return sum(ticket.rows_left for ticket in self._lines[level])

    def add(self, ticket: Ticket[P]) -> None:
        """Let a ticket wait for its turn."""
        ticket.since = self.clock()
        self._lines[ticket.owner.level].add(ticket)

    def put_back(self, share: Share[P]) -> None:
        """Let the rows of a share that was handed out last wait again, before the others of their ticket."""
        ticket = share.ticket
        line = self._lines[ticket.owner.level]
        line.remove(ticket)
        ticket.next_row = share.start
        line.add(ticket, first=True)

    def cancel(self, owner: Owner) -> int:
        """Drop all tickets of an owner; returns how many."""
        tickets = self._lines[owner.level].of(owner)
        for ticket in tickets:
            self.drop(ticket)
        return len(tickets)

    def drop(self, ticket: Ticket[P]) -> None:
        """Hand out no more rows of a ticket."""
        self._lines[ticket.owner.level].remove(ticket)

    def move(self, owner: Owner, client: int, level: Level) -> None:
        """Let an owner wait for another client, or in another class."""
        tickets = self._lines[owner.level].of(owner)
        self.cancel(owner)
        owner.client, owner.level = client, level
        for ticket in tickets:
            self._lines[level].add(ticket)

    def next_batch(self) -> list[Share[P]]:
        """The next micro-batch, empty if nobody waits: at least one row, else at most the budget in padded tokens.

        Whoever's turn it is leads and gives the key. Tickets of the same key and class that fit whole come along, those
        of like length first, if their clients have not had a budget more than the leader's. What would fill a
        micro-batch by itself keeps no short one waiting: it waits for its own turn.
        """
        waiting = [level for level, line in self._lines.items() if line]
        if not waiting:
            for line in self._lines.values():
                line.in_turn(1)
            return []
        level = self._guarantee.pick(waiting)
        line, tickets = self._lines[level], self._lines[level].in_turn(LOOK_AHEAD)
        leader, batch = tickets[0], Batch[P]()
        if leader.is_alone:
            batch.take(leader, leader.budget.tokens)
        else:
            self._merge(batch, line, tickets)
        shares = batch.shares()
        self._charge(line, shares, FIXED_COST + batch.padded_tokens)
        self._guarantee.served(level, FIXED_COST + batch.padded_tokens, waiting)
        if not leader.is_alone:
            # What costs nobody anything is charged to nobody.
            self._fill(batch, leader, tickets)
            for lower in waiting:
                if lower > level:
                    self._fill(batch, leader, islice(self._lines[lower], LOOK_AHEAD))
        return self._handed_out(batch)

    def _merge(self, batch: Batch[P], line: Line[P], tickets: list[Ticket[P]]) -> None:
        leader, tokens = tickets[0], tickets[0].budget.tokens
        batch.take(leader, tokens // 2)
        mates = [ticket for ticket in tickets[1:] if ticket.key == leader.key and not ticket.is_alone]
        near = [ticket for ticket in mates if line.lead(ticket, leader) <= tokens]
        for ticket in sorted(near, key=lambda ticket: abs(ticket.row_tokens - leader.row_tokens)):
            batch.take_whole(ticket, tokens)
        batch.take(leader, tokens)
        for ticket in mates:
            if ticket.owner is leader.owner:
                batch.take(ticket, tokens)

    def _charge(self, line: Line[P], shares: list[Share[P]], cost: float) -> None:
        total = sum(share.num_tokens for share in shares)
        for share in shares:
            line.charge(share.ticket.owner, cost * share.num_tokens / total)

    def _fill(self, batch: Batch[P], leader: Ticket[P], tickets: Iterable[Ticket[P]]) -> None:
        """Add rows that make the pass no slower: up to the budget's free tokens, none longer than those inside."""
        free = min(leader.budget.free, leader.budget.tokens)
        for ticket in tickets:
            if batch.padded_tokens + batch.width > free:
                return
            if ticket.key == leader.key and ticket.row_tokens <= batch.width and not ticket.is_alone:
                batch.take(ticket, free)

    def _handed_out(self, batch: Batch[P]) -> list[Share[P]]:
        shares = batch.shares()
        for share in shares:
            ticket = share.ticket
            if share.start == 0:
                self.begun[ticket.owner.level] += 1
                self.waited_s[ticket.owner.level] += self.clock() - ticket.since
            if not ticket.rows_left:
                self.drop(ticket)
        return shares
