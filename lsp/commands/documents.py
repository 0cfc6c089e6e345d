"""Commands about a document: explain it, or the record at a place in it, and say how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from saliscope.lsp.arguments import Drawn, Place, Token, offset_of, read
from saliscope.lsp.buffers import Buffer
from saliscope.lsp.descriptions import described, explained, summed
from saliscope.lsp.progress import Progress
from saliscope.lsp.service import Service
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.live import LiveDocument, LiveRecord


async def explain(service: Service, arguments: list[Any], token: Token) -> Any:
    """Explain now what is at a place, or the whole document, and say it."""
    place = read(arguments, Place)
    buffer = await service.begun(place.uri)
    _live(buffer)
    service.flush(buffer)
    if place.at is None:
        return await run_file(service, [place.uri], token)
    offset = offset_of(buffer, place.at)
    service.focus(buffer, offset)
    record = await _final(service, place.uri, offset)
    return explained(service.buffer(place.uri), record)


async def run_file(service: Service, arguments: list[Any], token: Token) -> Any:
    """Explain the whole document, and say what is predicted of each record."""
    buffer = await service.begun(read(arguments, Place).uri)
    _live(buffer)
    service.flush(buffer)
    bar = Progress(service.server, "Explaining the document", shown=service.abilities.progress, token=token)
    service.tasks.name_progress(bar.token)

    def report(live: LiveDocument) -> bool:
        done = sum(record.state == "final" for record in live.records)
        bar.report(done, live.num_explainable, f"{done} of {live.num_explainable} records")
        return False

    try:
        async with bar:
            live = await _worked(service, buffer.uri, report)
    except asyncio.CancelledError:
        service.hold(buffer)
        raise
    _check(live)
    buffer = service.buffer(buffer.uri)
    rows = [described(buffer, record) for record in live.records]
    wrong = sum(any(one.kind == "mismatch" for one in record.findings) for record in live.records)
    return {"uri": buffer.uri, "version": buffer.version, "mispredicted": wrong, "records": rows}


async def document(service: Service, arguments: list[Any], token: Token) -> Any:
    """How far a document is explained, and why not further; None for one that is not open."""
    buffer = service.buffers.get(read(arguments, Place).uri)
    return None if buffer is None else summed(buffer)


async def decorations(service: Service, arguments: list[Any], token: Token) -> Any:
    """Have what is drawn in a document sent again, to a client that had another text when it came."""
    wish = read(arguments, Drawn)
    service.news.repeat(service.buffer(wish.uri), wish.ids)
    return {}


def _live(buffer: Buffer) -> LiveDocument:
    if buffer.live is None:
        raise SaliscopeError("bad_request", buffer.limit or "no model is chosen; set saliscope.model")
    return buffer.live


async def _worked(service: Service, uri: str, is_done: Callable[[LiveDocument], bool]) -> LiveDocument:
    """A document when something is so, or nothing more is to come of it, however often it is opened anew meanwhile."""
    live = None

    def ready() -> bool:
        buffer = service.buffers.get(uri)
        return buffer is not None and buffer.live is not None and is_done(buffer.live)

    while live is not (now := _live(service.buffer(uri))):
        live = now
        await service.wait(service.buffer(uri), ready)
    return live


async def _final(service: Service, uri: str, offset: int) -> LiveRecord:
    """The record at a place when nothing better follows."""

    def is_final(live: LiveDocument) -> bool:
        record = live.record_at(offset)
        return record is not None and record.state == "final" and not live.is_ahead

    live = await _worked(service, uri, is_final)
    record = live.record_at(offset)
    if record is None or record.stale:
        _check(live)
    if record is None or record.explanation is None:
        told = [one.message for one in record.findings] if record else []
        raise SaliscopeError("bad_request", "; ".join(told) or "there is nothing to explain at this place")
    return record


def _check(live: LiveDocument) -> None:
    """Raise what keeps a document from being explained."""
    if live.problem is not None:
        raise live.problem
    if live.failed is not None:
        raise SaliscopeError(live.failed.code, live.failed.message)
