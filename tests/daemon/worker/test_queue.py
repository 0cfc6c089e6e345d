from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.daemon.worker.scheduling.queue import Queue, Ticket


def ticket(owner: int, rows: int, tokens: int = 10, key: str = "a") -> Ticket[str]:
    return Ticket(owner, key, rows, tokens, f"{owner}")


def test_rows_of_different_owners_share_a_micro_batch() -> None:
    queue: Queue[str] = Queue(100)
    queue.add(ticket(1, 2))
    queue.add(ticket(2, 3))
    assert [(s.ticket.owner, s.start, s.stop) for s in queue.next_batch()] == [(1, 0, 2), (2, 0, 3)]
    assert queue.next_batch() == []


def test_a_long_request_is_cut_at_the_budget_and_goes_on_where_it_stopped() -> None:
    queue: Queue[str] = Queue(100)
    queue.add(ticket(1, 25))
    spans = [(s.start, s.stop) for batch in iter(queue.next_batch, []) for s in batch]
    assert spans == [(0, 10), (10, 20), (20, 25)]


def test_a_short_request_does_not_wait_for_a_long_one_to_end() -> None:
    queue: Queue[str] = Queue(100)
    queue.add(ticket(1, 1000))
    queue.next_batch()
    queue.add(ticket(2, 1))
    assert {s.ticket.owner for s in queue.next_batch()} == {1, 2}


def test_a_request_with_another_key_gets_the_next_turn() -> None:
    queue: Queue[str] = Queue(100)
    queue.add(ticket(1, 1000, key="a"))
    queue.add(ticket(2, 1, key="b"))
    assert {s.ticket.owner for s in queue.next_batch()} == {1}
    assert {s.ticket.owner for s in queue.next_batch()} == {2}


def test_one_row_over_the_budget_still_runs() -> None:
    queue: Queue[str] = Queue(100)
    queue.add(ticket(1, 2, tokens=500))
    assert [(s.start, s.stop) for batch in iter(queue.next_batch, []) for s in batch] == [(0, 1), (1, 2)]


def test_a_cancelled_owner_gets_no_more_rows() -> None:
    queue: Queue[str] = Queue(100)
    queue.add(ticket(1, 100))
    queue.add(ticket(2, 1))
    queue.next_batch()
    assert queue.cancel(1) == 1
    assert queue.cancel(1) == 0
    assert {s.ticket.owner for batch in iter(queue.next_batch, []) for s in batch} <= {2}


def test_a_dropped_ticket_gets_no_more_rows_and_its_owners_others_do() -> None:
    queue: Queue[str] = Queue(100)
    failing, other = ticket(1, 100), ticket(1, 3, key="b")
    queue.add(failing)
    queue.add(other)
    assert {share.ticket for share in queue.next_batch()} == {failing}
    queue.drop(failing)
    assert (len(queue), queue.num_rows) == (1, 3)
    assert [(share.ticket, share.start, share.stop) for share in queue.next_batch()] == [(other, 0, 3)]
    assert queue.next_batch() == []


def test_an_owner_whose_last_ticket_was_dropped_has_no_turn() -> None:
    queue: Queue[str] = Queue(100)
    only = ticket(1, 100)
    queue.add(only)
    queue.add(ticket(2, 1, key="b"))
    queue.next_batch()
    queue.drop(only)
    assert [share.ticket.owner for share in queue.next_batch()] == [2]
    assert queue.next_batch() == []
    queue.add(ticket(1, 2))
    assert [share.ticket.owner for share in queue.next_batch()] == [1]


def test_dropping_what_no_longer_waits_changes_nothing() -> None:
    queue: Queue[str] = Queue(100)
    done, waiting, stranger = ticket(1, 1), ticket(1, 30), ticket(3, 1)
    queue.add(done)
    queue.next_batch()
    queue.add(waiting)
    for gone in (done, stranger, done):
        queue.drop(gone)
    assert (len(queue), queue.num_rows) == (1, 30)
    queue.cancel(1)
    queue.drop(waiting)
    assert len(queue) == queue.num_rows == 0


def test_padding_stays_under_twice_the_tokens_asked_for() -> None:
    queue: Queue[str] = Queue(10_000)
    queue.add(ticket(1, 1, tokens=400))
    for owner in range(2, 8):
        queue.add(ticket(owner, 1, tokens=4))
    assert [s.ticket.owner for s in queue.next_batch()] == [1, 2]
    assert [s.ticket.owner for s in queue.next_batch()] == [3, 4, 5, 6, 7]


tickets = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 40), st.integers(1, 60), st.sampled_from("ab")), min_size=1, max_size=20
)


@given(tickets, st.integers(10, 300))
@settings(deadline=None)
def test_every_row_runs_exactly_once_and_in_order(rows: list[tuple[int, int, int, str]], budget: int) -> None:
    queue: Queue[str] = Queue(budget)
    added = [ticket(*row) for row in rows]
    for one in added:
        queue.add(one)
    reached: Counter[int] = Counter()
    while batch := queue.next_batch():
        width = max(share.ticket.row_tokens for share in batch)
        count = sum(share.stop - share.start for share in batch)
        assert width * count <= max(budget, width)
        assert len({share.ticket.key for share in batch}) == 1
        for share in batch:
            assert share.start == reached[id(share.ticket)] < share.stop
            reached[id(share.ticket)] = share.stop
    assert all(reached[id(one)] == one.num_rows for one in added)
    assert len(queue) == queue.num_rows == 0


@given(tickets)
@settings(deadline=None)
def test_nobody_waits_longer_than_one_round(rows: list[tuple[int, int, int, str]]) -> None:
    queue: Queue[str] = Queue(60)
    for row in rows:
        queue.add(ticket(*row))
    last: dict[object, int] = {}
    turn, waiting = 0, {row[0] for row in rows}
    while batch := queue.next_batch():
        turn += 1
        for owner in {share.ticket.owner for share in batch}:
            last[owner] = turn
        alive = {t.owner for tickets in queue._tickets.values() for t in tickets}
        assert all(turn - last.get(owner, 0) <= len(waiting) for owner in alive)
