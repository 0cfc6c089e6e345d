"""Asks the model about the records of open documents, a few at a time, and tells what comes of it."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Final

import msgspec

from saliscope.daemon.front.live.document import Document, Run
from saliscope.daemon.front.live.turns import Turns
from saliscope.protocol.documents import DocumentFailed
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification
from saliscope.protocol.listening import OnNotification

log = logging.getLogger(__name__)

Ask = Callable[[str, dict[str, Any], OnNotification], Awaitable[dict[str, Any]]]
Push = Callable[[str, dict[str, Any], Hashable], None]
HasRoom = Callable[[], Awaitable[None]]

#: Of how many records findings are told in one notification.
_TOLD_AT_ONCE: Final = 256
#: Errors that every record would meet.
_HOPELESS: Final = frozenset(
    {"unknown_model", "unknown_method", "loading_failed", "not_capable", "unauthorized", "shutting_down"}
)


class Pump:
    """At most `most` records are asked about at once, and beside them the focused one of each document.

    `documents` are looked at, the one used last first, but for those that somebody else is at work on in `turns`, who
    wakes it then; nothing is asked while the client has no room.
    """

    def __init__(
        self, documents: dict[str, Document], turns: Turns, ask: Ask, push: Push, has_room: HasRoom, most: int
    ) -> None:
        self._documents, self._turns = documents, turns
        self._ask, self._push, self._has_room, self._most = ask, push, has_room, most
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Something may have to be asked or told."""
        if self._worker is None or self._worker.done():
            # Done is one that met an error, which is in the log: the rest goes on.
            self._worker = asyncio.create_task(self._work())
            self._worker.add_done_callback(_report)
        self._wake.set()

    def close(self) -> None:
        """Cancel everything."""
        for task in (*self._asking, *filter(None, [self._worker])):
            task.cancel()

    async def _work(self) -> None:
        """Start what is next whenever there is room for it, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            is_busy = True
            while is_busy:
                await self._has_room()
                free = [one for name, one in self._documents.items() if not self._turns.is_taken(name)]
                is_busy = (
                    self._start_next(free) or self._tell_news(free) or _look_across(free) or self._tell_settled(free)
                )

    def _start_next(self, documents: Sequence[Document]) -> bool:
        """Ask the model about the next record, or tell what is known of it; False when nothing can be done."""
        is_full = len(self._asking) >= self._most
        found = [(document, item) for document in reversed(documents) if (item := document.agenda.next())]
        # Who is looked at waits for nobody; there is one such record a document.
        ranked = [pair for wanted in ("interactive", "request", "bulk") for pair in found if pair[1].priority == wanted]
        if not ranked or (is_full and ranked[0][1].priority != "interactive"):
            return False
        document, item = ranked[0]
        document.agenda.drop(item.record)
        known = document.kept.get(document.key_of(document.store[item.record]))
        if known is not None:
            self._tell(document, item.record, known, final=True)
            return True
        run = document.begin(item)
        run.task = asyncio.create_task(self._explain(document, run, *document.question(item)))
        self._asking.add(run.task)
        run.task.add_done_callback(self._asked)
        return True

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        self._wake.set()
        _report(task)

    async def _explain(self, document: Document, run: Run, method: str, params: dict[str, Any]) -> None:
        record = run.item.record

        def listen(notification: Notification) -> None:
            # While the document changes, an estimate is let go: a better one follows.
            if notification.method != "explain/partial" or self._turns.is_taken(document.name):
                return
            if document.running.get(record) is run and notification.params is not None:
                said = notification.params["explanation"]
                is_enough = document.is_enough(run, said)
                self._tell(document, record, said, final=is_enough)

        try:
            answer = await self._ask(method, params, listen)
        except SaliscopeError as error:
            async with self._turns.of(document.name):
                if document.running.get(record) is run:
                    self._failed(document, run, error)
            return
        async with self._turns.of(document.name):
            # Else it was changed, closed, or asked anew.
            if document.running.get(record) is run:
                self._answered(document, run, answer)

    def _answered(self, document: Document, run: Run, answer: dict[str, Any]) -> None:
        record = run.item.record
        del document.running[record]
        if run.item.stage == "prediction":
            document.agenda.add(record, "estimate")
            self._notify(document, document.predicted(record, answer["predictions"][0]))
            return
        final = document.is_final(run.item, answer)
        if not final:
            document.agenda.add(record, "method")
        self._tell(document, record, answer, final=final)

    def _failed(self, document: Document, run: Run, error: SaliscopeError) -> None:
        del document.running[run.item.record]
        # What a model cannot do with a chat it may well do with the texts beside it.
        is_own = error.code == "not_capable" and not document.store.has_one_shape
        if error.code in _HOPELESS and not is_own:
            document.stop()
            told = DocumentFailed(document.name, document.number, document.store.version, error.code, error.message)
            self._push("document/failed", msgspec.to_builtins(told), ("document/failed", document.number))
        elif run.item.stage == "prediction":
            document.agenda.add(run.item.record, "estimate")
        elif run.item.stage == "estimate" and document.options.method is not None:
            document.agenda.add(run.item.record, "method")
        else:
            document.failed(run.item.record, f"{error.code}: {error.message}")

    def _tell(self, document: Document, record: int, explanation: dict[str, Any], *, final: bool) -> None:
        self._notify(document, document.explained(record, explanation, final=final))

    def _notify(self, document: Document, told: dict[str, Any]) -> None:
        self._push("document/attribution", told, ("document/attribution", document.number, told["record"]))

    def _tell_news(self, documents: Sequence[Document]) -> bool:
        """Tell some findings; False when all were told."""
        document = next((one for one in documents if one.has_news), None)
        if document is None:
            return False
        news = document.news(_TOLD_AT_ONCE)
        if news is not None:
            self._push("document/findings", msgspec.to_builtins(news), object())
        return True

    def _tell_settled(self, documents: Sequence[Document]) -> bool:
        """Tell of one document that nothing waits any more; False when none has come to that."""
        told = next(filter(None, (document.settled() for document in documents)), None)
        if told is not None:
            # Behind everything that was told before.
            self._push("document/settled", msgspec.to_builtins(told), object())
        return told is not None


def _look_across(documents: Sequence[Document]) -> bool:
    """Whether all records of a document together are news of some."""
    return any(document.look_across() for document in documents)


def _report(task: asyncio.Task[None]) -> None:
    """Have what went wrong in a task of ours in the log."""
    if not task.cancelled() and (error := task.exception()) is not None:
        # Frames only: the message may quote a text, and texts are never logged.
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error("explaining a document failed: %s\n%s", type(error).__name__, frames)
