"""A micro-batch in the making."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from saliscope.daemon.worker.scheduling.ticket import Share, Ticket

P = TypeVar("P")

#: A micro-batch may hold at most this many times the tokens that were asked for.
MOST_PADDING: Final = 2.0


class Batch(Generic[P]):
    """Rows that go through the model together, padded to the longest of them."""

    def __init__(self) -> None:
        self._rows: dict[Ticket[P], tuple[int, int]] = {}
        self._num_rows = self._num_tokens = self.width = 0

    @property
    def padded_tokens(self) -> int:
        """Tokens that go through the model."""
        return self.width * self._num_rows

    def take(self, ticket: Ticket[P], tokens: int) -> None:
        """Add as many rows of a ticket as fit into `tokens` padded ones; of the first ticket at least one."""
        count = self._room(ticket, tokens)
        if count <= 0:
            return
        start, _ = self._rows.get(ticket, (ticket.next_row, ticket.next_row))
        ticket.next_row += count
        self._rows[ticket] = (start, ticket.next_row)
        self._num_rows += count
        self._num_tokens += count * ticket.row_tokens
        self.width = max(self.width, ticket.row_tokens)

    def take_whole(self, ticket: Ticket[P], tokens: int) -> None:
        """Add all that is left of a ticket if it fits, else nothing."""
        if self._room(ticket, tokens) >= ticket.rows_left:
            self.take(ticket, tokens)

    def _room(self, ticket: Ticket[P], tokens: int) -> int:
        """How many rows that are left of a ticket may be added."""
        width = max(self.width, ticket.row_tokens)
        count = min(tokens // width - self._num_rows, ticket.rows_left)
        if not self._num_rows:
            return max(count, 1)
        spare = MOST_PADDING * self._num_tokens - width * self._num_rows
        wasted_by_each = width - MOST_PADDING * ticket.row_tokens
        if wasted_by_each > 0:
            return min(count, int(spare / wasted_by_each))
        # Longer rows pad those inside, and make up for it the more of them there are.
        return count if spare >= wasted_by_each * count else 0

    def shares(self) -> list[Share[P]]:
        """What was taken, in the order it was taken first."""
        return [Share(ticket, start, stop) for ticket, (start, stop) in self._rows.items()]
