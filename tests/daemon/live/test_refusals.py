"""What a document may not be, and edits that do not fit: refused with what to do, and nothing is changed."""

from __future__ import annotations

from typing import Any

import pytest
from tests.daemon.live.desk import Desk, on_a_desk

from saliscope.protocol.errors import SaliscopeError

TEXT = "a good film\na bad film\n"


@pytest.mark.parametrize(
    ("base", "edit", "reason"),
    [
        (7, (0, 1, "x"), "from version 7 to 8, the document is at version 3"),
        (2, (0, 1, "x"), "from version 2 to 3"),
        (3, (0, 99, "x"), r"edits\[0\]: the range 0 to 99 does not lie in the text"),
        (3, (5, 4, "x"), "the range 5 to 4"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused_and_asks_for_the_whole_text(
    base: int, edit: tuple[int, int, str], reason: str
) -> None:
    async def run(desk: Desk) -> None:
        await desk.open(TEXT, version=3)
        with pytest.raises(SaliscopeError, match=reason) as raised:
            await desk.change(base, edit)
        assert (raised.value.code, raised.value.data) == ("bad_request", {"resync": True})
        assert not any(question.is_cancelled for question in desk.asked)
        assert (await desk.change(3, (2, 6, "great"))).version == 4

    on_a_desk(run)


def test_all_edits_of_a_change_are_made_or_none() -> None:
    async def run(desk: Desk) -> None:
        await desk.open(TEXT)
        with pytest.raises(SaliscopeError, match=r"edits\[1\]"):
            await desk.change(0, (0, 1, "the"), (90, 91, ""))
        assert not desk.asked[0].is_cancelled
        assert (await desk.change(0, (0, 1, "A"))).num_computing == 1

    on_a_desk(run)


@pytest.mark.parametrize(("at", "version"), [(99, 0), (0, 1)])
def test_a_focus_elsewhere_or_in_another_version_asks_for_the_whole_text(at: int, version: int) -> None:
    async def run(desk: Desk) -> None:
        await desk.open(TEXT)
        with pytest.raises(SaliscopeError) as raised:
            await desk.focus(at, version)
        assert raised.value.data == {"resync": True}

    on_a_desk(run)


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ("\x00\x01\x02" * 100, {}, "bad_request"),
        ("\n" * 250_000, {}, "too_large"),
        ("x" * 2_000_000, {}, "too_large"),
        (TEXT, {"format": "docx"}, "bad_request"),
        ("a\n" * 101, {}, "too_large"),
        ("a" * 1001, {}, "too_large"),
    ],
)
def test_a_document_that_cannot_be_is_refused(text: str, options: dict[str, Any], code: str) -> None:
    async def run(desk: Desk) -> None:
        with pytest.raises(SaliscopeError) as raised:
            await desk.open(text, **options)
        assert raised.value.code == code
        assert desk.asked == []
        assert (await desk.open(TEXT)).num_records == 2

    most = 1000 if len(text) == 1001 else 64_000_000
    on_a_desk(run, records=100, characters=most)


def test_a_connection_has_so_many_documents_and_records() -> None:
    async def run(desk: Desk) -> None:
        await desk.open("a\n" * 50, "a.txt")
        await desk.open("b\n" * 40, "b.txt")
        with pytest.raises(SaliscopeError, match="2 documents are open on this connection; close one"):
            await desk.open("c\n", "c.txt")
        # Its own records do not count against the one that takes its place.
        await desk.open("a\n" * 60, "a.txt")
        with pytest.raises(SaliscopeError, match="would have 101 records; the limit is 100; it was closed") as raised:
            await desk.change(0, (0, 0, "x\n"), document="a.txt")
        assert (raised.value.code, raised.value.data) == ("too_large", {"resync": True})
        await desk.open("c\n", "c.txt")

    on_a_desk(run, documents=2, records=100)


def test_a_change_that_grows_over_the_characters_of_a_connection_is_not_made() -> None:
    async def run(desk: Desk) -> None:
        await desk.open("a" * 90)
        with pytest.raises(SaliscopeError, match="the limit is 100") as raised:
            await desk.change(0, (0, 0, "b" * 20))
        assert raised.value.data == {"resync": True}
        await desk.change(0, (0, 0, "b"))

    on_a_desk(run, characters=100)


def test_a_long_document_is_read_beside_and_requests_keep_their_order() -> None:
    async def run(desk: Desk) -> None:
        import asyncio

        text = "".join(f"film number {n}\n" for n in range(5000))
        opened, changed, closed = await asyncio.gather(
            desk.open(text), desk.change(0, (0, 4, "book")), desk.close(), return_exceptions=False
        )
        assert (opened.num_records, changed.num_computing, closed.version) == (5000, 1, 1)

    on_a_desk(run)
