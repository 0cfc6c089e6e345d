"""Clients that read slowly, or not at all, or vanish; the others must not notice."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from saliscope.protocol.codec import encode_request
from saliscope.protocol.frames import Response

Start = Callable[..., Any]
Until = Callable[[Callable[[], Any]], Any]


def in_flight(client: Any) -> int:
    return int(client.status().requests["in_flight"])


def test_no_requests_are_read_from_a_client_that_leaves_its_answers_unread(start: Start, until: Until) -> None:
    daemon = start(full=1 << 20)
    slow, other = daemon.wire(), daemon.client()
    for id in range(10):
        slow.request(id, "explain", text="fat 50000")
    until(lambda: other.status().requests.get("answered", 0) == 10)
    more = b"".join(encode_request(id, "explain", {"text": f"{id}" * (1 << 20)}) for id in range(10, 14))
    slow.socket.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while True:
            sent += slow.socket.send(more[sent:])
    assert sent < len(more)
    assert other.explain("a").scores
    assert other.status().requests["answered"] == 11
    # When it reads, everything is answered: nothing was dropped.
    slow.socket.settimeout(None)
    sender = threading.Thread(target=slow.send, args=(more[sent:],))
    sender.start()
    got = [slow.read() for _ in range(14)]
    sender.join()
    assert [frame.id for frame in got if isinstance(frame, Response) and frame.error is None] == list(range(14))


def test_a_client_that_reads_nothing_for_too_long_is_dropped_and_its_requests_are_cancelled(
    start: Start, until: Until
) -> None:
    daemon = start(stuck_s=0.1)
    deaf, other = daemon.wire(), daemon.client()
    deaf.request(1, "explain", text="hang")
    for id in range(2, 12):
        deaf.request(id, "explain", text="fat 50000")
    until(lambda: other.status().requests.get("cancelled", 0) >= 1)
    assert other.explain("a").scores
    assert other.status().sessions == 1
    assert "dropped a client that does not read: it has read nothing for 0.1 s" in daemon.end()


def test_a_client_that_reads_slowly_but_reads_is_not_dropped(start: Start) -> None:
    daemon = start(stuck_s=0.2, full=1 << 16)
    slow = daemon.wire()
    slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    for id in range(5):
        slow.request(id, "explain", text="fat 50000")
    total = []
    while len(total) < 5:
        frame = slow.read()
        assert frame is not None, "dropped"
        total.append(frame.id)
    assert total == list(range(5))


def test_half_a_frame_and_then_nothing_and_clients_that_vanish_mid_stream_leave_no_request(
    daemon: Any, until: Until
) -> None:
    other = daemon.client()
    for cut in (1, 5, 20):
        half = daemon.wire()
        half.send(encode_request(1, "explain", {"text": "a film"})[:cut])
        half.close()
        mid = daemon.wire()
        mid.request(1, "initialize")
        mid.request(2, "explain", text="hang", stream=True)
        mid.request(3, "explain", text="hang", stream=True)
        until(lambda: in_flight(other) == 2)
        mid.close()
        until(lambda: in_flight(other) == 0)
    status = other.status()
    assert (status.sessions, status.requests["cancelled"]) == (1, 6)
    assert other.explain("a").scores
