"""One class of work: fair between its clients, then between the requests of each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

from saliscope.daemon.worker.scheduling.ticket import Owner, Ticket
from saliscope.daemon.worker.scheduling.turns import Turns

P = TypeVar("P")


class Line(Generic[P]):
    """The tickets of one class in order of turns."""

    def __init__(self) -> None:
        self._clients: Turns[int] = Turns()
        self._owners: dict[int, Turns[Owner]] = {}
        self._tickets: dict[Owner, list[Ticket[P]]] = {}

    def __bool__(self) -> bool:
        return bool(self._tickets)

    def __iter__(self) -> Iterator[Ticket[P]]:
        return (ticket for tickets in self._tickets.values() for ticket in tickets)

    def add(self, ticket: Ticket[P], *, first: bool = False) -> None:
        """Let a ticket wait, behind those of its owner or `first` among them."""
        owner = ticket.owner
        self._clients.enter(owner.client, ticket.tokens_left)
        self._owners.setdefault(owner.client, Turns()).enter(owner, ticket.tokens_left)
        tickets = self._tickets.setdefault(owner, [])
        tickets.insert(0 if first else len(tickets), ticket)

    def remove(self, ticket: Ticket[P]) -> None:
        """Let a ticket wait no longer; one that does not is left alone."""
        tickets = self._tickets.get(ticket.owner, [])
        if ticket in tickets:
            tickets.remove(ticket)
            if not tickets:
                self._leave(ticket.owner)

    def of(self, owner: Owner) -> list[Ticket[P]]:
        """The tickets of an owner."""
        return list(self._tickets.get(owner, ()))

    def charge(self, owner: Owner, cost: float) -> None:
        """An owner that waits has had `cost` of the device."""
        self._clients.charge(owner.client, cost)
        self._owners[owner.client].charge(owner, cost)

    def lead(self, ticket: Ticket[P], other: Ticket[P]) -> float:
        """By how much the client of a ticket has had more than that of another."""
        return self._clients.time(ticket.owner.client) - self._clients.time(other.owner.client)

    def in_turn(self, count: int) -> list[Ticket[P]]:
        """At most `count` tickets, whose turn it is first; of equals the shorter first. A new turn begins."""
        every = (
            ticket
            for client in self._clients.first(count)
            for owner in self._owners[client].first(count)
            for ticket in self._tickets[owner]
        )
        return list(islice(every, count))

    def _leave(self, owner: Owner) -> None:
        del self._tickets[owner]
        owners = self._owners[owner.client]
        owners.leave(owner)
        if not owners:
            del self._owners[owner.client]
            self._clients.leave(owner.client)
