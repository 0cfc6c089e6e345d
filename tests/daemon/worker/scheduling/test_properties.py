"""What holds of the scheduler whatever is asked of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.daemon.worker.scheduling.batch import MOST_PADDING
from saliscope.daemon.worker.scheduling.budget import Budget
from saliscope.daemon.worker.scheduling.level import SHARES, Level
from saliscope.daemon.worker.scheduling.queue import FIXED_COST, Queue
from saliscope.daemon.worker.scheduling.ticket import Owner, Share, Ticket

levels = st.sampled_from(Level)
tickets = st.lists(
    st.tuples(st.integers(0, 5), levels, st.integers(1, 40), st.integers(1, 60), st.sampled_from("ab"), st.booleans()),
    min_size=1,
    max_size=25,
)
budgets = st.builds(Budget, st.integers(10, 300), st.integers(0, 80))


def padded(batch: list[Share[Any]]) -> int:
    return max(share.ticket.row_tokens for share in batch) * sum(share.stop - share.start for share in batch)


def check(batch: list[Share[Any]], budget: Budget) -> None:
    """A micro-batch has one key, keeps the budget, is little padded, and merges nothing that is alone."""
    assert padded(batch) <= max(budget.tokens, *(share.ticket.row_tokens for share in batch))
    assert padded(batch) <= MOST_PADDING * sum(share.num_tokens for share in batch)
    assert len({share.ticket.key for share in batch}) == 1
    assert len(batch) == 1 or not any(share.ticket.is_alone for share in batch)


@given(tickets, budgets)
@settings(deadline=None)
def test_every_row_runs_exactly_once_and_in_order(rows: list[Any], budget: Budget) -> None:
    queue: Queue[None] = Queue()
    owners: dict[Any, Owner] = {}
    added = []
    for client, level, count, tokens, key, alone in rows:
        owner = owners.setdefault((client, level, alone), Owner(client, level, alone))
        added.append(Ticket(owner, key, count, tokens, None, budget))
        queue.add(added[-1])
    reached: Counter[int] = Counter()
    while batch := queue.next_batch():
        check(batch, budget)
        for share in batch:
            assert share.start == reached[id(share.ticket)] < share.stop
            reached[id(share.ticket)] = share.stop
    assert all(reached[id(one)] == one.num_rows for one in added)
    assert len(queue) == queue.num_rows == 0
    assert not queue


@given(st.data(), budgets)
@settings(deadline=None)
def test_nothing_is_lost_or_done_twice_whoever_leaves_moves_or_fails_meanwhile(
    data: st.DataObject, budget: Budget
) -> None:
    queue: Queue[None] = Queue()
    owners = [Owner(client, level) for client in range(3) for level in Level]
    alive: list[Ticket[None]] = []
    done: dict[Any, list[tuple[int, int]]] = defaultdict(list)
    for _ in range(data.draw(st.integers(1, 40))):
        match data.draw(st.sampled_from(["add", "add", "batch", "batch", "cancel", "drop", "move", "fail", "grow"])):
            case "add":
                owner = data.draw(st.sampled_from(owners))
                sizes = st.integers(1, 30)
                key = data.draw(st.sampled_from("ab"))
                alive.append(Ticket(owner, key, data.draw(sizes), data.draw(sizes), None, budget))
                queue.add(alive[-1])
            case "batch":
                for share in queue.next_batch():
                    done[share.ticket].append((share.start, share.stop))
            case "cancel":
                owner = data.draw(st.sampled_from(owners))
                queue.cancel(owner)
                alive = [ticket for ticket in alive if ticket.owner is not owner]
            case "drop" if alive:
                queue.drop(alive.pop(data.draw(st.integers(0, len(alive) - 1))))
            case "move":
                queue.move(data.draw(st.sampled_from(owners)), data.draw(st.integers(0, 4)), data.draw(levels))
            case "fail":
                batch = queue.next_batch()
                if batch:
                    budget.shrink(padded(batch))
                for share in batch:
                    queue.put_back(share)
            case "grow":
                budget.went_well()
        left = {id(ticket): ticket for ticket in alive if ticket.rows_left}
        assert len(queue) == len(left)
        assert queue.num_rows == sum(ticket.rows_left for ticket in left.values())
    while batch := queue.next_batch():
        check(batch, budget)
        for share in batch:
            done[share.ticket].append((share.start, share.stop))
    for ticket in alive:
        rows = [row for start, stop in done[ticket] for row in range(start, stop)]
        assert rows == list(range(ticket.num_rows))


class Flood:
    """Clients of given classes, key and lengths that always have more to ask."""

    def __init__(self, clients: list[tuple[Level, str, int, int]], budget: Budget) -> None:
        self.queue: Queue[None] = Queue()
        self.clients, self.budget = clients, budget
        self.had: Counter[int] = Counter()
        self._last: dict[int, Ticket[None]] = {}

    def step(self) -> list[Share[None]]:
        for client, (level, key, rows, tokens) in enumerate(self.clients):
            last = self._last.get(client)
            if last is None or not last.rows_left:
                self._last[client] = Ticket(Owner(client, level), key, rows, tokens, None, self.budget)
                self.queue.add(self._last[client])
        batch = self.queue.next_batch()
        check(batch, self.budget)
        cost = FIXED_COST + padded(batch)
        for share in batch:
            part = cost * share.num_tokens / sum(each.num_tokens for each in batch)
            self.had[share.ticket.owner.client] += part
        return batch


floods = st.lists(
    st.tuples(
        st.sampled_from([Level.REQUEST, Level.BULK]), st.sampled_from("ab"), st.integers(1, 200), st.integers(1, 60)
    ),
    min_size=1,
    max_size=8,
)


@given(floods, budgets, st.integers(0, 30), st.integers(1, 32), st.integers(1, 60))
@settings(deadline=None)
def test_an_interactive_request_waits_for_two_micro_batches_at_most(
    clients: list[Any], budget: Budget, before: int, rows: int, tokens: int
) -> None:
    flood = Flood(clients, budget)
    for _ in range(before):
        flood.step()
    # It comes while one more runs.
    flood.step()
    flood.queue.add(asked := Ticket(Owner(99, Level.INTERACTIVE), "c", rows, tokens, None, budget))
    batches = [flood.step(), flood.step()]
    assert any(share.ticket is asked for batch in batches for share in batch)


@given(floods, budgets)
@settings(deadline=None, max_examples=30)
def test_lower_classes_get_their_share_under_a_flood_of_higher_ones(clients: list[Any], budget: Budget) -> None:
    interactive = (Level.INTERACTIVE, "a", 20, 20)
    flood = Flood([interactive, (Level.BULK, "b", 50, 20), *clients], budget)
    leaders = Counter(flood.step()[0].ticket.owner.level for _ in range(600))
    had = {
        level: sum(flood.had[client] for client, each in enumerate(flood.clients) if each[0] == level)
        for level in SHARES
        if any(each[0] == level for each in flood.clients)
    }
    reached = {level: had[level] / (SHARES[level] * sum(flood.had.values())) for level in had}
    if min(reached.values()) < 0.8:
        # Every second micro-batch is all that there is for them: it was used, and they fall short alike.
        assert leaders[Level.INTERACTIVE] <= 301
        assert min(reached.values()) >= 0.8 * min(1, max(reached.values()))


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 200), st.integers(1, 60)), min_size=2, max_size=8),
    st.integers(10, 300),
    st.integers(1, 200),
)
@settings(deadline=None)
def test_clients_that_always_wait_have_had_the_same(clients: list[Any], tokens: int, steps: int) -> None:
    flood = Flood([(Level.REQUEST, *client) for client in clients], Budget(tokens))
    for _ in range(steps):
        flood.step()
    had = [flood.had[client] for client in range(len(clients))]
    assert max(had) - min(had) <= 2 * tokens + FIXED_COST + max(row for _, _, row in clients)
