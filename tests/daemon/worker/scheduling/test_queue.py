from __future__ import annotations

from saliscope.daemon.worker.scheduling.budget import Budget
from saliscope.daemon.worker.scheduling.level import Level
from saliscope.daemon.worker.scheduling.queue import Queue
from saliscope.daemon.worker.scheduling.ticket import Owner, Share, Ticket

HUNDRED = Budget(100)


def ticket(client: int, rows: int, tokens: int = 10, key: str = "a", budget: Budget = HUNDRED) -> Ticket[str]:
    return Ticket(Owner(client), key, rows, tokens, f"{client}", budget)


def of(level: Level, client: int, rows: int, budget: Budget = HUNDRED, key: str = "a") -> Ticket[str]:
    return Ticket(Owner(client, level), key, rows, 10, level.label, budget)


def clients(shares: list[Share[str]]) -> list[int]:
    return [share.ticket.owner.client for share in shares]


def spans(shares: list[Share[str]]) -> list[tuple[int, int, int]]:
    return [(share.ticket.owner.client, share.start, share.stop) for share in shares]


def test_rows_of_different_clients_share_a_micro_batch() -> None:
    queue: Queue[str] = Queue()
    queue.add(ticket(1, 2))
    queue.add(ticket(2, 3))
    assert spans(queue.next_batch()) == [(1, 0, 2), (2, 0, 3)]
    assert queue.next_batch() == []


def test_a_long_request_is_cut_at_the_budget_and_goes_on_where_it_stopped() -> None:
    queue: Queue[str] = Queue()
    queue.add(ticket(1, 25))
    found = [span for batch in iter(queue.next_batch, []) for span in spans(batch)]
    assert found == [(1, 0, 10), (1, 10, 20), (1, 20, 25)]


def test_a_short_request_does_not_wait_for_a_long_one_to_end() -> None:
    queue: Queue[str] = Queue()
    queue.add(ticket(1, 1000))
    queue.next_batch()
    queue.add(ticket(2, 1))
    assert clients(queue.next_batch()) == [2]
    assert clients(queue.next_batch()) == [1]


def test_a_short_one_comes_along_where_a_long_one_leads() -> None:
    queue: Queue[str] = Queue()
    short = Owner(1)
    queue.add(Ticket(short, "a", 9, 10, "", HUNDRED))
    queue.next_batch()
    queue.add(ticket(2, 1000))
    queue.next_batch()
    queue.add(Ticket(short, "a", 2, 10, "", HUNDRED))
    queue.next_batch()
    queue.add(Ticket(short, "a", 2, 10, "", HUNDRED))
    assert spans(queue.next_batch()) == [(2, 10, 18), (1, 0, 2)]


def test_what_fills_a_micro_batch_by_itself_waits_for_its_own_turn() -> None:
    queue: Queue[str] = Queue()
    for client in (1, 2):
        queue.add(ticket(client, 20))
    assert [clients(batch) for batch in iter(queue.next_batch, [])] == [[1], [2], [1], [2]]


def test_texts_of_one_request_fill_a_micro_batch_together() -> None:
    queue: Queue[str] = Queue()
    owner = Owner(1)
    for _ in range(3):
        queue.add(Ticket(owner, "a", 8, 10, "", HUNDRED))
    assert [sum(share.stop - share.start for share in batch) for batch in iter(queue.next_batch, [])] == [10, 10, 4]


def test_a_request_with_another_key_gets_the_next_turn() -> None:
    queue: Queue[str] = Queue()
    queue.add(ticket(1, 1000, key="a"))
    queue.next_batch()
    queue.add(ticket(2, 1, key="b"))
    assert clients(queue.next_batch()) == [2]
    assert clients(queue.next_batch()) == [1]


def test_one_row_over_the_budget_still_runs() -> None:
    queue: Queue[str] = Queue()
    queue.add(ticket(1, 2, tokens=500))
    assert [(s.start, s.stop) for batch in iter(queue.next_batch, []) for s in batch] == [(0, 1), (1, 2)]


def test_those_of_like_length_come_along_first() -> None:
    queue: Queue[str] = Queue()
    for client, tokens in enumerate((20, 11, 19, 12, 18)):
        queue.add(ticket(client, 1, tokens))
    first = queue.next_batch()
    assert sorted(share.ticket.row_tokens for share in first) == [11, 12, 18, 19, 20]
    for client, tokens in enumerate((30, 16, 29, 16, 28)):
        queue.add(ticket(client, 1, tokens))
    assert sorted(share.ticket.row_tokens for share in queue.next_batch()) == [16, 16, 28]


def test_padding_stays_under_twice_the_tokens_asked_for() -> None:
    queue: Queue[str] = Queue()
    big = Budget(10_000)
    queue.add(ticket(1, 1, tokens=400, budget=big))
    for client in range(2, 8):
        queue.add(ticket(client, 1, tokens=4, budget=big))
    assert clients(queue.next_batch()) == [2, 3, 4, 5, 6, 7]
    assert clients(queue.next_batch()) == [1]


def test_one_that_is_alone_shares_with_nobody() -> None:
    queue: Queue[str] = Queue()
    for client, alone in enumerate((False, True, False, True)):
        queue.add(Ticket(Owner(client, alone=alone), "a", 1, 10, "", HUNDRED))
    assert sorted(clients(batch) for batch in iter(queue.next_batch, [])) == [[0, 2], [1], [3]]


def test_higher_classes_come_first_and_lower_ones_fill_up_what_is_free() -> None:
    queue, budget = Queue[str](), Budget(100, free=40)
    queue.add(of(Level.BULK, 1, 50, budget))
    queue.add(of(Level.REQUEST, 2, 50, budget, key="b"))
    queue.add(of(Level.INTERACTIVE, 3, 2, budget))
    assert spans(queue.next_batch()) == [(3, 0, 2), (1, 0, 2)]
    assert queue.num_tickets(Level.INTERACTIVE) == 0
    assert queue.rows_of(Level.BULK) == 48


def test_a_share_that_was_put_back_runs_again_before_the_rest() -> None:
    queue: Queue[str] = Queue()
    budget = Budget(100)
    queue.add(ticket(1, 10, budget=budget))
    (share,) = queue.next_batch()
    assert not queue
    queue.put_back(share)
    budget.shrink(100)
    assert [(s.start, s.stop) for batch in iter(queue.next_batch, []) for s in batch] == [(0, 5), (5, 10)]


def test_a_cancelled_owner_gets_no_more_rows() -> None:
    queue: Queue[str] = Queue()
    gone = ticket(1, 100)
    queue.add(gone)
    queue.add(ticket(2, 1))
    queue.next_batch()
    assert queue.cancel(gone.owner) == 1
    assert queue.cancel(gone.owner) == 0
    assert {client for batch in iter(queue.next_batch, []) for client in clients(batch)} <= {2}


def test_a_dropped_ticket_gets_no_more_rows_and_its_owners_others_do() -> None:
    queue: Queue[str] = Queue()
    failing = ticket(1, 100)
    other = Ticket(failing.owner, "b", 3, 10, "", HUNDRED)
    queue.add(failing)
    queue.add(other)
    assert [share.ticket for share in queue.next_batch()] == [failing]
    queue.drop(failing)
    queue.drop(failing)
    assert (len(queue), queue.num_rows) == (1, 3)
    assert [(share.ticket, share.start, share.stop) for share in queue.next_batch()] == [(other, 0, 3)]
    assert queue.next_batch() == []


def test_one_that_moves_up_waits_in_its_new_class() -> None:
    queue: Queue[str] = Queue()
    first, second = of(Level.BULK, 1, 20), of(Level.REQUEST, 2, 20)
    queue.add(first)
    queue.add(second)
    assert clients(queue.next_batch()) == [2]
    queue.move(first.owner, 3, Level.INTERACTIVE)
    assert clients(queue.next_batch()) == [3]
    assert (queue.num_tickets(Level.INTERACTIVE), queue.num_tickets(Level.BULK)) == (1, 0)


def test_the_time_a_ticket_waited_is_told_by_class() -> None:
    now = 5.0
    queue: Queue[str] = Queue(lambda: now)
    queue.add(of(Level.BULK, 1, 20))
    now = 7.5
    queue.next_batch()
    queue.next_batch()
    assert (queue.begun[Level.BULK], queue.waited_s[Level.BULK]) == (1, 2.5)
