"""A document that takes long to read keeps no other waiting, and what is asked about one document stays in order."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from tests.daemon.live.desk import Desk, on_a_desk, settle

from saliscope.daemon.front.live import documents
from saliscope.protocol.documents import ChangeDocument, CloseDocument, FocusDocument, OpenDocument
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError

#: Long enough to be read on a thread.
SLOW = "a slow film\n" + "\n" * documents._ASIDE


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set, it lets texts and edits be read that say `slow`."""
    gate = threading.Event()

    class Gated(documents.Store):
        def __init__(self, text: str, *args: Any) -> None:
            if "slow" in text:
                assert gate.wait(60)
            super().__init__(text, *args)

        def change(self, base: int, version: int, edits: Any) -> Any:
            if any("slow" in edit.text for edit in edits):
                assert gate.wait(60)
            return super().change(base, version, edits)

    monkeypatch.setattr(documents, "Store", Gated)
    return gate


def test_other_documents_are_opened_edited_and_explained_while_one_is_being_read(gate: threading.Event) -> None:
    async def run(desk: Desk) -> None:
        slow = asyncio.create_task(desk.documents.handle(OpenDocument(document="b.txt", text=SLOW)))
        await desk.open("one film\n")
        changed = await desk.change(0, (0, 3, "two"))
        assert (changed.version, changed.num_computing) == (1, 1)
        await desk.focus(0, version=1)
        await desk.answer_all()
        assert desk.take("document/attribution")[-1]["explanation"]["text"] == "two film"
        assert len(desk.take("document/settled")) == 1
        assert (await desk.close()).num_waiting == 0
        assert not slow.done()
        gate.set()
        assert (await slow).num_records == 1
        await desk.answer_all()
        assert desk.take("document/attribution")[-1]["explanation"]["text"] == "a slow film"

    on_a_desk(run)


def test_what_is_asked_about_one_document_is_done_in_its_order(gate: threading.Event) -> None:
    async def run(desk: Desk) -> None:
        requests = [
            OpenDocument(document="a.txt", text=SLOW),
            ChangeDocument("a.txt", 0, 1, [Edit(2, 6, "slower")]),
            FocusDocument("a.txt", 1, 0),
            CloseDocument("a.txt"),
            OpenDocument(document="a.txt", text="another\n"),
        ]
        answers: list[str] = []
        tasks = [asyncio.create_task(desk.documents.handle(request)) for request in requests]
        for task, request in zip(tasks, requests, strict=True):
            name = type(request).__name__
            task.add_done_callback(lambda _, name=name: answers.append(name))
        await settle()
        assert answers == []
        gate.set()
        results: Any = await asyncio.gather(*tasks)
        assert answers == ["OpenDocument", "ChangeDocument", "FocusDocument", "CloseDocument", "OpenDocument"]
        assert [result.version for result in results] == [0, 1, 1, 1, 0]
        await settle()
        assert [question.text for question in desk.waiting] == ["another"]

    on_a_desk(run)


def test_nothing_is_told_of_a_document_while_it_changes_and_all_of_it_afterwards(gate: threading.Event) -> None:
    async def run(desk: Desk) -> None:
        await desk.open("one film\n" + "\n" * documents._ASIDE, method="slow")
        desk.asked[0].answer()
        await settle()
        method = desk.asked[1]
        desk.told.clear()
        change = ChangeDocument("a.txt", 0, 1, [Edit(9, 9, "a slow film\n")])
        changing = asyncio.create_task(desk.documents.handle(change))
        await settle()
        method.partial()
        method.answer()
        await settle()
        assert desk.told == []
        gate.set()
        await changing
        await settle()
        told = desk.take("document/attribution")
        assert [(one["version"], one["state"], one["explanation"]["text"]) for one in told] == [
            (1, "final", "one film")
        ]

    on_a_desk(run)


def test_what_is_being_read_counts_among_what_is_open(gate: threading.Event) -> None:
    async def run(desk: Desk) -> None:
        slow = asyncio.create_task(desk.documents.handle(OpenDocument(document="b.txt", text=SLOW)))
        await settle()
        with pytest.raises(SaliscopeError, match="1 documents are open on this connection"):
            await desk.open("one\n")
        assert desk.documents.num_characters == len(SLOW)
        gate.set()
        await slow
        assert desk.documents.num_characters == len(SLOW)

    on_a_desk(run, documents=1)
