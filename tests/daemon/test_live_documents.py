"""Live documents through the socket, with fake workers behind it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from saliscope.protocol import paths
from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.documents import DocumentFindings, RecordAttribution
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Response

Until = Callable[[Callable[[], Any]], Any]
TEXT = "a good film\na bad film\n"


def test_a_document_is_opened_edited_and_closed(daemon: Any) -> None:
    client = daemon.client()
    told: list[RecordAttribution] = []
    state = client.open_document("a.txt", TEXT, on_attribution=told.append)
    assert (state.num_records, state.version) == (2, 0)
    while len(told) < 2:
        client.listen()
    changed = client.change_document("a.txt", 0, 1, [Edit(2, 6, "great")])
    assert (changed.num_computing, changed.version) == (1, 1)
    while len(told) < 3:
        client.listen()
    assert [each.explanation.text for each in told] == ["a good film", "a bad film", "a great film"]
    assert client.focus_document("a.txt", 1, 0).record == told[2].record
    told_of = client.status().figures["documents"]
    state = client.close_document("a.txt")
    assert (state.num_asked, state.num_waiting) == (3, 0)
    assert state.num_kept_bytes > 0
    kept = state.num_kept_bytes
    assert told_of == {"open": 1, "characters": len(TEXT) + 1, "records": 2, "kept_bytes": kept}
    assert set(client.status().figures["documents"].values()) == {0}
    # The worker was asked for no more than that.
    assert client.status().figures["requests"]["explain"] == {"answered": 3}
    assert not client.listen(timeout=0.01)


def test_the_asynchronous_client_speaks_of_documents_too(daemon: Any) -> None:
    async def run() -> None:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(paths.socket_path()))
        async with await AsyncClient.adopt(sock) as client:
            await client.initialize()
            told: asyncio.Queue[RecordAttribution] = asyncio.Queue()
            found: asyncio.Queue[DocumentFindings] = asyncio.Queue()
            await client.open_document(
                "a.jsonl", '{"text": "one"}\n{', on_attribution=told.put_nowait, on_findings=found.put_nowait
            )
            assert (await told.get()).explanation.text == "one"
            (broken,) = (await found.get()).records
            assert [one.kind for one in broken.findings] == ["broken"]
            await client.configure_document("a.jsonl", method="fake", granularity="word")
            assert (await told.get()).state == "final"
            await client.change_document("a.jsonl", 0, 1, [Edit(16, 17, '{"text": "two"}')])
            assert (await told.get()).explanation.text == "two"
            await client.focus_document("a.jsonl", 1, 0)
            await client.close_document("a.jsonl")

    asyncio.run(run())


def test_the_end_of_a_connection_cancels_what_its_documents_asked(daemon: Any, until: Until) -> None:
    client, other = daemon.client(), daemon.client()
    client.open_document("a.txt", "hang 1\nhang 2\n")
    worker = until(lambda: [one for one in other.status().workers if one.get("queue", {}).get("waiting") == 2])
    assert worker[0]["counters"]["cancelled"] == 0
    client.close()
    until(lambda: other.status().workers[0]["counters"]["cancelled"] == 2)


def test_an_edit_cancels_in_the_worker_what_it_supersedes(daemon: Any, until: Until) -> None:
    client = daemon.client()
    client.open_document("a.txt", "hang 1\n")
    until(lambda: [one for one in client.status().workers if one.get("queue", {}).get("waiting") == 1])
    client.change_document("a.txt", 0, 1, [Edit(0, 4, "good")])
    until(lambda: client.status().workers[0]["counters"]["cancelled"] == 1)


def test_a_record_whose_worker_dies_is_a_finding_and_the_others_work(daemon: Any) -> None:
    client = daemon.client()
    told: list[RecordAttribution] = []
    found: list[DocumentFindings] = []
    client.open_document("a.txt", "crash\ngood\n", on_attribution=told.append, on_findings=found.append)
    while not (told and found):
        client.listen()
    assert told[0].explanation.text == "good"
    assert [(one.kind, one.message.partition(":")[0]) for one in found[0].records[0].findings] == [
        ("failed", "internal")
    ]


def test_a_client_without_notifications_opens_no_document(daemon: Any) -> None:
    wire = daemon.wire()
    wire.request(1, "document/open", document="a.txt", text=TEXT)
    answer = wire.read()
    assert isinstance(answer, Response)
    assert answer.error == (
        "bad_request: what is found out about a document is notified; send `initialize` with notifications first"
    )


@pytest.mark.parametrize(
    ("method", "params", "reason"),
    [
        ("document/open", {"text": "a"}, "missing required field `document`"),
        ("document/open", {"document": "a", "text": 5}, "text: Expected `str`"),
        ("document/open", {"document": "a", "text": "a", "low_margin": 2}, "low_margin"),
        ("document/open", {"document": "a", "text": "a", "granularity": "page"}, "granularity"),
        ("document/change", {"document": "a", "base": -1, "version": 1, "edits": []}, "base: Expected `int` >= 0"),
        ("document/change", {"document": "a", "base": 0, "version": 1, "edits": [[0, 1, ""]]}, r"edits\[0\]"),
        ("document/focus", {"document": "a", "version": 0, "at": 0}, "document: 'a' is not open"),
    ],
)
def test_wrong_parameters_are_bad_requests_that_name_the_field(
    daemon: Any, method: str, params: dict[str, Any], reason: str
) -> None:
    client = daemon.client()
    with pytest.raises(SaliscopeError, match=reason) as raised:
        client.call(method, params)
    assert raised.value.code == "bad_request"


def test_over_the_wire_a_stale_edit_asks_for_the_whole_text(daemon: Any) -> None:
    client = daemon.client()
    client.open_document("a.txt", TEXT)
    with pytest.raises(SaliscopeError) as raised:
        client.change_document("a.txt", 4, 5, [Edit(0, 1, "b")])
    assert (raised.value.code, raised.value.data) == ("bad_request", {"resync": True})
    with pytest.raises(TypeError, match="unexpected keyword argument 'modle'"):
        client.open_document("a.txt", TEXT, modle="m")


def test_the_documents_of_all_connections_share_a_limit_and_those_of_one_that_left_do_not_count(
    start: Callable[..., Any], until: Until
) -> None:
    daemon = start(all_characters=100)
    one, two = daemon.client(), daemon.client()
    one.open_document("a.txt", "a" * 60)
    with pytest.raises(
        SaliscopeError, match="of all connections would have 120 characters; the limit is 100"
    ) as raised:
        two.open_document("a.txt", "b" * 60)
    assert raised.value.code == "busy"
    with pytest.raises(SaliscopeError, match="of all connections") as raised:
        one.change_document("a.txt", 0, 1, [Edit(0, 0, "c" * 50)])
    assert raised.value.data == {"resync": True}
    one.close()
    until(lambda: two.status().sessions == 1)
    assert two.open_document("a.txt", "b" * 60).num_records == 1


def test_shutting_down_ends_with_documents_open(daemon: Any) -> None:
    client = daemon.client()
    client.open_document("a.txt", "hang 1\nhang 2\n")
    client.shutdown()
    assert daemon.process.wait() == 0
