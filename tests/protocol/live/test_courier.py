"""Who carries a document: offered again when there is a reason to, and silent when it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from saliscope.protocol.documents import DocumentState
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.live.choices import Choices
from saliscope.protocol.live.courier import Courier
from saliscope.protocol.live.document import LiveDocument
from saliscope.protocol.workspace import Trigger


class Desk:
    """As much of a client as a courier needs; `refuses` says of which texts it wants nothing."""

    is_open = True

    def __init__(self, refuses: Callable[[str], bool]) -> None:
        self.offered: list[str] = []
        self.focused: list[int] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self._refuses = refuses

    async def open_document(self, document: str, text: str, **options: Any) -> DocumentState:
        self.offered.append(text)
        await self.answers.wait()
        if self._refuses(text):
            raise SaliscopeError("bad_request", "as the test said")
        return DocumentState(document, 1, 0, "text", 0, 0, 0, 0, 0, None)

    async def focus_document(self, document: str, version: int, at: int) -> None:
        self.focused.append(at)

    async def close_document(self, document: str) -> None:
        return


def carried(
    test: Callable[[Courier, Desk, list[Any]], Coroutine[Any, Any, None]],
    refuses: Callable[[str], bool],
    trigger: Trigger | None = None,
) -> None:
    """Run a test with a courier that serves a desk."""

    async def run() -> None:
        told: list[Any] = []
        choices = Choices(None, {}, trigger)
        document = LiveDocument("a.txt", "bad", choices)
        courier = Courier(document, choices, lambda document, ids: told.append(ids), 0.01)
        desk: Any = Desk(refuses)
        serving = asyncio.create_task(courier.serve(desk))
        try:
            await test(courier, desk, told)
        finally:
            courier.close()
            desk.answers.set()
            await serving

    asyncio.run(run())


async def rest() -> None:
    """Long enough for what was edited to be sent."""
    await asyncio.sleep(0.05)


def test_who_only_looks_at_a_refused_document_does_not_offer_it_again() -> None:
    async def run(courier: Courier, desk: Desk, told: list[Any]) -> None:
        await rest()
        assert courier.document.problem is not None
        for at in range(3):
            courier.focus(at)
            await rest()
        assert desk.offered == ["bad"]
        courier.edit([Edit(0, 3, "good")])
        await rest()
        assert (desk.offered, desk.focused) == (["bad", "good"], [4])

    carried(run, lambda text: text == "bad")


def test_what_is_typed_while_a_document_is_being_refused_is_offered() -> None:
    async def run(courier: Courier, desk: Desk, told: list[Any]) -> None:
        desk.answers.clear()
        await rest()
        courier.edit([Edit(0, 3, "good")])
        desk.answers.set()
        await rest()
        assert desk.offered == ["bad", "good"]
        assert courier.document.problem is None

    carried(run, lambda text: text == "bad")


def test_a_refused_document_that_is_explained_when_saved_is_not_offered_before() -> None:
    async def run(courier: Courier, desk: Desk, told: list[Any]) -> None:
        await rest()
        courier.edit([Edit(0, 3, "goo")])
        courier.edit([Edit(3, 3, "d")])
        await rest()
        assert desk.offered == ["bad"]
        await courier.settled()
        courier.flush()
        await rest()
        assert desk.offered == ["bad", "good"]

    carried(run, lambda text: text == "bad", "onSave")


def test_nothing_is_told_of_a_document_that_was_closed_while_it_was_opened() -> None:
    async def run(courier: Courier, desk: Desk, told: list[Any]) -> None:
        desk.answers.clear()
        await rest()
        courier.close()
        desk.answers.set()
        await rest()
        assert told == []

    carried(run, lambda text: False)
