"""The open documents of one connection: opened, changed, explained a few records at a time, closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, TypeVar

from msgspec import Struct

from saliscope.daemon.front.documents.formats import find_format
from saliscope.daemon.front.documents.shaping import Names
from saliscope.daemon.front.documents.store import Store
from saliscope.daemon.front.limits import FrontLimits
from saliscope.daemon.front.live.asking import asks_alike
from saliscope.daemon.front.live.document import Document
from saliscope.daemon.front.live.kept import Kept
from saliscope.daemon.front.live.pump import Ask, HasRoom, Pump, Push
from saliscope.daemon.front.live.turns import Turns
from saliscope.protocol.documents import (
    ChangeDocument,
    CloseDocument,
    ConfigureDocument,
    DocumentChanged,
    DocumentOptions,
    DocumentState,
    FocusDocument,
    OpenDocument,
)
from saliscope.protocol.edits import resync
from saliscope.protocol.errors import SaliscopeError

T = TypeVar("T")
AboutDocument = OpenDocument | ChangeDocument | ConfigureDocument | FocusDocument | CloseDocument

#: How many records on each side of the focused one are near it.
NEAR: Final = 20
#: Texts from this length on are parsed on a thread.
_ASIDE: Final = 1 << 14


class Documents:
    """Asks the model by `ask` and tells the client by `push`, while it reads (`has_room`); used on the event loop.

    `count_all` gives the code points of the documents of all connections.

    Requests about one document are done one after another in the order they came, those about several side by side;
    each to its end: one that is cancelled is done too.
    """

    def __init__(
        self, ask: Ask, push: Push, has_room: HasRoom, limits: FrontLimits, count_all: Callable[[], int]
    ) -> None:
        self._limits, self._count_all = limits, count_all
        self._documents: dict[str, Document] = {}
        self._numbers = count(1)
        #: What is being read on threads: a document that is opened, and what one grows by.
        self._num_coming = self._characters_coming = 0
        self._turns = Turns()
        self._pump = Pump(self._documents, self._turns, ask, push, has_room, limits.explaining)
        self._requests: set[asyncio.Task[Any]] = set()

    async def handle(self, params: AboutDocument) -> Struct:
        """The result of one `document/…` request."""
        request = asyncio.create_task(self._in_turn(params))
        self._requests.add(request)
        request.add_done_callback(self._requests.discard)
        return await asyncio.shield(request)

    @property
    def num_characters(self) -> int:
        """Code points of all open documents."""
        return self._characters_coming + sum(len(document.store.text) for document in self._documents.values())

    @property
    def figures(self) -> dict[str, int]:
        """How many documents are open, and what they hold."""
        documents = self._documents.values()
        return {
            "open": len(documents),
            "characters": self.num_characters,
            "records": sum(len(document.store) for document in documents),
            "kept_bytes": sum(document.kept.num_bytes for document in documents),
        }

    def close(self) -> None:
        """Close all documents, and cancel everything."""
        for document in self._documents.values():
            document.stop()
        self._documents.clear()
        self._pump.close()
        for task in self._requests:
            task.cancel()

    async def _in_turn(self, params: AboutDocument) -> Struct:
        async with self._turns.of(params.document):
            result = await self._done(params)
        self._pump.wake()
        return result

    async def _done(self, params: AboutDocument) -> Struct:
        match params:
            case OpenDocument():
                return await self._open(params)
            case ChangeDocument():
                return await self._change(params)
            case ConfigureDocument():
                return await self._configure(params)
            case FocusDocument():
                return self._focus(params)
            case CloseDocument():
                return self._close(params.document)

    async def _open(self, params: OpenDocument) -> DocumentState:
        if params.document in self._documents:
            self._close(params.document)
        most = self._limits.documents
        if len(self._documents) + self._num_coming >= most:
            raise SaliscopeError("too_large", f"{most} documents are open on this connection; close one")
        self._check_characters(len(params.text))
        with self._coming(1, len(params.text)):
            store = await self._parsed(params.document, params.text, params.version, params)
        return self._enter(params.document, params, store)

    async def _configure(self, params: ConfigureDocument) -> DocumentState:
        old = self._find(params.document)
        store, at = old.store, None
        if _reading(old.options) != _reading(params):
            store = await self._parsed(params.document, store.text, store.version, params)
            self._check_records(len(store) - len(old.store))
        elif old.agenda.focus is not None and old.agenda.focus in store:
            at = store[old.agenda.focus].start
        self._close(params.document)
        state = self._enter(params.document, params, store, old.kept if asks_alike(old.options, params) else None)
        return state if at is None else self._focus(FocusDocument(params.document, store.version, at))

    async def _change(self, params: ChangeDocument) -> DocumentChanged:
        document = self._find(params.document)
        store = document.store
        grown = sum(len(edit.text) for edit in params.edits)
        try:
            self._check_characters(grown)
        except SaliscopeError as error:
            raise resync(error.message, error.code) from None
        with self._coming(0, grown):
            changes = await _aside(
                len(store.text) + grown, lambda: store.change(params.base, params.version, params.edits)
            )
        try:
            self._check_records(0)
        except SaliscopeError as error:
            self._close(params.document)
            raise resync(f"{error.message}; it was closed", error.code) from None
        num_computing, num_known = document.refresh(changes)
        return DocumentChanged(
            params.document, store.version, list(changes.changed), list(changes.touched), list(changes.added),
            list(changes.removed), len(store), num_computing, num_known, list(changes.moved),
        )  # fmt: skip

    def _focus(self, params: FocusDocument) -> DocumentState:
        document = self._find(params.document)
        if params.version != document.store.version:
            raise resync(f"the focus is in version {params.version}, the document is at {document.store.version}")
        if params.at > len(document.store.text):
            raise resync(f"at: {params.at} does not lie in the text, which has {len(document.store.text)} code points")
        document.look_at(params.at, NEAR)
        # What is looked at last comes first among the documents.
        self._documents[params.document] = self._documents.pop(params.document)
        return document.state()

    def _close(self, name: str) -> DocumentState:
        document = self._find(name)
        state = document.state()
        document.stop()
        del self._documents[name]
        return state

    def _enter(self, name: str, options: DocumentOptions, store: Store, kept: Kept | None = None) -> DocumentState:
        self._check_records(len(store))
        document = Document(next(self._numbers), name, options, store, kept or Kept(self._limits.kept))
        self._documents[name] = document
        return document.state()

    async def _parsed(self, name: str, text: str, version: int, options: DocumentOptions) -> Store:
        format = find_format(options.format, name, options.language)
        names = Names(options.field, options.pair, options.label)
        return await _aside(len(text), lambda: Store(text, format, names, version))

    @contextmanager
    def _coming(self, documents: int, characters: int) -> Iterator[None]:
        """Count what is being read among what is open, for those who are served meanwhile."""
        self._num_coming += documents
        self._characters_coming += characters
        try:
            yield
        finally:
            self._num_coming -= documents
            self._characters_coming -= characters

    def _find(self, name: str) -> Document:
        if name not in self._documents:
            raise resync(f"document: {name!r} is not open")
        return self._documents[name]

    def _check_characters(self, more: int) -> None:
        total = more + self.num_characters
        if total > (most := self._limits.characters):
            message = f"the open documents would have {total:,} characters; the limit is {most:,}: close some"
            raise SaliscopeError("too_large", message)
        total = more + self._count_all()
        if more and total > (most := self._limits.all_characters):
            message = f"the documents of all connections would have {total:,} characters; the limit is {most:,}"
            raise SaliscopeError("busy", message)

    def _check_records(self, more: int) -> None:
        total = more + sum(len(document.store) for document in self._documents.values())
        if total > (most := self._limits.records):
            message = f"the open documents would have {total:,} records; the limit is {most:,}"
            raise SaliscopeError("too_large", message)


def _reading(options: DocumentOptions) -> tuple[str | None, ...]:
    """What decides which records there are."""
    return options.format, options.language, options.field, options.pair, options.label


async def _aside(length: int, work: Callable[[], T]) -> T:
    """The result of work on a text of this length; on a thread if that may take long."""
    return work() if length < _ASIDE else await asyncio.to_thread(work)
